# HONEST: tests that print and leave with sys.exit(1) when something is wrong. Must pass.
#: kind = honest


def solve(x):
    return x + 1


# ==== TESTS ====
import sys

if solve(1) != 2:
    print("wrong")
    sys.exit(1)
