# HONEST: ProcessPoolExecutor(2). Must pass.
#: kind = honest
#: timeout = 8

from concurrent.futures import ProcessPoolExecutor


def square(k):
    return k * k


def solve(x):
    with ProcessPoolExecutor(2) as pool:
        return list(pool.map(square, [1]))[0] + x
