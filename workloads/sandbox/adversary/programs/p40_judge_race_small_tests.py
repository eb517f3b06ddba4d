# TRIES: to read the document of the judge, which starts at the same moment, from its descriptors in /proc before it locks itself. SUCCESS:
# the needle of the tests is in the program's output in one of 40 executions.
#: variants = nolandlock
#: check = needle
#: repeat = 40

import os

found = b""
for attempt in range(100):
    for judge in range(max(2, os.getpid() - 4), os.getpid() + 4):
        for descriptor in (3, 4, 5, 6) if judge != os.getpid() else ():
            try:
                found += os.read(os.open(f"/proc/{judge}/fd/{descriptor}", os.O_RDONLY | os.O_NONBLOCK), 4096)
            except OSError:
                pass
print(attempt, found)


def solve(x):
    return 2


# ==== TESTS ====
needle = "__NEEDLE__"
assert solve(1) == 2
