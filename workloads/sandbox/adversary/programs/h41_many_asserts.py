# HONEST: 2,000 short asserts, 60 kB of tests. Must pass within the default 10 s.
#: kind = honest
#: short = no
#: timeout = 10
#: testcode = "\n".join(f"assert solve({k}) == {k + 1}" for k in range(2000))


def solve(x):
    return x + 1
