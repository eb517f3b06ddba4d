# HONEST: ThreadPoolExecutor(32), the default's upper bound, with waiting work. Must pass.
#: kind = honest

from concurrent.futures import ThreadPoolExecutor
import time


def solve(x):
    with ThreadPoolExecutor(32) as pool:
        return sum(pool.map(lambda k: (time.sleep(0.05), k)[1] * 0, range(64))) + x + 1
