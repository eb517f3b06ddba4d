# HONEST: leaves a directory behind that only its owner may not read (mode 0300), as some backup programs do, while it goes on working.
# Must pass.
#: kind = honest

import os, time


def solve(x):
    os.mkdir("drop")
    os.chmod("drop", 0o300)
    time.sleep(0.3)
    return x + 1
