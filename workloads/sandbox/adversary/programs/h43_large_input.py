# HONEST: a performance test with a list of a million numbers (7 MB as text). Must pass.
#: kind = honest
#: timeout = 10


def solve(x):
    return sum(x)


# ==== TESTS ====
assert solve(list(range(1000000))) == 499999500000
