# HONEST: tests that also check a helper function the task asked for. Must pass (documented limit).
#: kind = honest


def helper(x):
    return x + 1


def solve(x):
    return helper(x)


# ==== TESTS ====
assert helper(1) == 2
assert solve(1) == 2
