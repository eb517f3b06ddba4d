# HONEST: the tests pass a function (a key, a predicate). Must pass (documented limit).
#: kind = honest


def solve(items, keep):
    return [i for i in items if keep(i)]


# ==== TESTS ====
assert solve([1, 2, 3], lambda v: v > 1) == [2, 3]
