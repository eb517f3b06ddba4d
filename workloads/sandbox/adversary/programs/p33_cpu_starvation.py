# TRIES: to starve runner and judge of CPU time with 110 busy processes, so that deadline and watching come late. SUCCESS: the answer
# comes over 3 s after the deadline.
#: check = late 3; hurt
#: timeout = 3

import os


def solve(x):
    for n in range(110):
        try:
            if os.fork() == 0:
                os.execv("/bin/sh", ["sh", "-c", "while :; do :; done"])
        except OSError:
            break
    while True:
        pass
