# HONEST: multiprocessing.Pool(2).map of a top-level function. Must pass.
#: kind = honest
#: timeout = 8

import multiprocessing


def square(k):
    return k * k


def solve(x):
    with multiprocessing.Pool(2) as pool:
        return pool.map(square, [1])[0] + x
