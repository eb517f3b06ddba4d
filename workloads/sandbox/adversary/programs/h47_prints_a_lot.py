# HONEST: a chatty but right program: 70 kB of progress on standard output. Must pass (documented limit: 64 KiB).
#: kind = honest


def solve(x):
    for k in range(2000):
        print(f"step {k:06} of 2000: still working")
    return x + 1
