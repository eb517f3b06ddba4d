# TRIES: to take the node's asynchronous I/O contexts (fs.aio-max-nr counts for the whole node, not per container) by io_setup. SUCCESS:
# the observer sees /proc/sys/fs/aio-nr grow by over 20,000 while the program runs.
#: check = peak aio 20000
#: short = yes
#: start = syscalls

import time

got = 0
for n in range(20):
    c = ctypes.c_ulong(0)
    r = sc(206, 1500, ctypes.byref(c))
    if r < 0:
        print(tell(r))
        break
    got += 1500
print(got)


def solve(x):
    time.sleep(0.5)
    return 2
