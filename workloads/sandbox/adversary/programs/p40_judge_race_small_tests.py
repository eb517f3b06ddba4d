# TRIES: as p35, with tests of ordinary size: how often does the judge start later than the program? SUCCESS: the needle of the tests is
# in the program's output.
#: variants = nolandlock
#: check = needle
#: repeat = 40

import os

d, judge = None, os.getpid() - 1
for t in range(300):
    try:
        d = open(f"/proc/{judge}/fd/3").read()
        break
    except OSError:
        pass
print(t, d)


def solve(x):
    return 2


# ==== TESTS ====
needle = "__NEEDLE__"
assert solve(1) == 2
