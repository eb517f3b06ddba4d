# HONEST: a linked list of 1,500 nodes as nested tuples. Must pass.
#: kind = honest


def solve(n):
    r = None
    for k in range(n):
        r = (k, r)
    return r


# ==== TESTS ====
r, n = solve(1500), 0
while r:
    r, n = r[1], n + 1
assert n == 1500
