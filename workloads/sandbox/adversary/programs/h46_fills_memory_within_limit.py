# HONEST: a list of four million integers (160 MiB) within the 256 MiB it may use. Must pass.
#: kind = honest
#: timeout = 8


def solve(x):
    return len(list(range(10**6, 5 * 10**6))) - 4 * 10**6 + x + 1
