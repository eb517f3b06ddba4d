# TRIES: io_uring (setup, then socket and connect as ring operations, past the filter). SUCCESS: the observer sees an io_uring descriptor,
# or the TCP canary is reached.
#: check = canary tcp; descriptor io_uring
#: short = yes
#: start = syscalls

import time

p = ctypes.create_string_buffer(120)
for entries in (1, 8, 64):
    fd = sc(425, entries, p)
    print("io_uring_setup", tell(fd))
print(tell(sc(426, 3, 1, 0, 0, 0, 0)), tell(sc(427, 3, 0, 0, 0)))
time.sleep(0.3)


def solve(x):
    return 2
