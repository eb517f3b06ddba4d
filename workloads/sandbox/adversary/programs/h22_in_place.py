# HONEST: an in-place algorithm: the tests look at the list they passed. Must pass (documented limit; at least no "Failed").
#: kind = honest


def solve(a):
    a.sort()


# ==== TESTS ====
a = [3, 1, 2]
solve(a)
assert a == [1, 2, 3]
