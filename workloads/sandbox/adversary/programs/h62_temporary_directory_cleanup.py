# HONEST: works in a directory it has closed (chmod 0) for a moment and leaves 5,000 small files behind. Must pass.
#: kind = honest
#: timeout = 8

import os, time


def solve(x):
    os.mkdir("closed")
    os.chmod("closed", 0)
    time.sleep(0.25)
    os.chmod("closed", 0o700)
    for n in range(5000):
        open(f"closed/{n}", "w").close()
    return x + 1
