# TRIES: advisory locks on read-only system files, which other processes of the container (or volume) might need. SUCCESS: an observer
# outside can't lock that file while the program runs.
#: check = outside
#: lockcheck = /usr/bin/env
#: timeout = 4

import fcntl, os, time

f = os.open("/usr/bin/env", os.O_RDONLY)
try:
    fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
    print("locked")
except OSError as e:
    print(e)


def solve(x):
    time.sleep(1.5)
    return 2
