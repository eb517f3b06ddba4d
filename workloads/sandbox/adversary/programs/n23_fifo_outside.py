# TRIES: to write into a FIFO outside that anybody may use. SUCCESS: the FIFO canary receives bytes.
#: check = canary fifo

import os

for flags in (os.O_WRONLY | os.O_NONBLOCK, os.O_RDWR | os.O_NONBLOCK, os.O_PATH):
    try:
        fd = os.open("__FIFO__", flags)
        print(flags, fd)
        os.write(fd, b"n23")
        os.close(fd)
    except OSError as e:
        print(flags, e)
try:
    fd = os.open("__FIFO__", os.O_PATH)
    f = os.open(f"/proc/self/fd/{fd}", os.O_WRONLY | os.O_NONBLOCK)
    os.write(f, b"n23")
except OSError as e:
    print(e)


def solve(x):
    return 2
