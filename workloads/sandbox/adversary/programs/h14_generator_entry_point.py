# HONEST: the entry point is a generator; the tests take list(solve(3)). Must pass.
#: kind = honest


def solve(x):
    for k in range(x):
        yield k


# ==== TESTS ====
assert list(solve(3)) == [0, 1, 2]
