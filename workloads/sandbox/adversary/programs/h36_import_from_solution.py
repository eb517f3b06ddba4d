# HONEST: tests that import the entry point from the module (`from solution import solve`). Must pass.
#: kind = honest


def solve(x):
    return x + 1


# ==== TESTS ====
from solution import solve

assert solve(1) == 2
