# HONEST: a whole-program answer that calls input() at the top only when there is some (EOF handled). Must pass.
#: kind = honest

try:
    n = int(input())
except EOFError:
    n = 0


def solve(x):
    return x + 1
