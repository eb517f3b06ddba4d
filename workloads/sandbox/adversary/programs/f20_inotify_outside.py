# TRIES: to watch directories that it may not read, by inotify. SUCCESS: the name of a file that an observer creates outside during the
# run is in the answer.
#: check = secret touched
#: short = yes
#: touch = yes
#: timeout = 4
#: start = syscalls

import time

fd = sc(294, 2048)
for d in ("__BAITDIR__", "__OUT__", "__HOME__", "/tmp", "/proc"):
    print(d, tell(sc(254, fd, d.encode(), 0xFFF)))


def solve(x):
    end = time.time() + 3
    while time.time() < end:
        try:
            print(os.read(fd, 8192))
        except BlockingIOError:
            time.sleep(0.05)
    return 2
