# TRIES: fallocate with FALLOC_FL_KEEP_SIZE, which RLIMIT_FSIZE doesn't bound, on files with and without a name: 3 GiB. SUCCESS: over 200 MiB
# are held on the volume.
#: check = peak held 200M; leftover; hurt
#: timeout = 4
#: short = yes
#: start = syscalls

import time

for flags in (0, 0o20000000):
    for name in ("named", "."):
        descriptor = sc(2, name.encode(), os.O_RDWR | (0o20200000 if name == "." else os.O_CREAT), 0o600)
        for mode in (1, 0, 3, 0x10, 0x20):
            print(name, mode, tell(sc(285, descriptor, mode, ctypes.c_long(0), ctypes.c_long(3 << 30))))


def solve(x):
    time.sleep(0.5)
    return 3
