# HONEST: the tests build a list of 400,000 numbers (16 MB) for a program that may use 128 MiB (the judge gets 64 MiB). Must pass.
#: kind = honest
#: memory = 128
#: timeout = 8


def solve(x):
    return sum(x)


# ==== TESTS ====
data = list(range(400000))
assert solve(data) == 79999800000
