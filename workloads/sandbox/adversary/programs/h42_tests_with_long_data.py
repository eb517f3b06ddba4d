# HONEST: 300 asserts with long literals, 600 kB of tests, as enlarged benchmarks have them. Must pass within the default 10 s.
#: kind = honest
#: short = no
#: timeout = 10
#: testcode = "\n".join(f"assert solve({list(range(k, k + 250))}) == {250}\n" for k in range(300))


def solve(x):
    return len(x)
