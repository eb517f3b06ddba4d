# HONEST: threading.stack_size(128 MiB) and a recursive worker, the usual idiom of competitions. Must pass.
#: kind = honest

import sys, threading

sys.setrecursionlimit(10**6)


def solve(x):
    out = []

    def depth(n):
        return 0 if n == 0 else 1 + depth(n - 1)

    threading.stack_size(128 << 20)
    t = threading.Thread(target=lambda: out.append(depth(20000)))
    t.start()
    t.join()
    return out[0] - 20000 + x + 1
