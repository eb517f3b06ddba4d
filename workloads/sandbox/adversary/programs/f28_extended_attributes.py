# TRIES: to hide data in extended attributes, which the directory's limit may not see: many files with 4 to 64 KiB each. SUCCESS: over 200
# MiB are held on the volume, or files are left.
#: check = peak held 200M; leftover
#: short = yes

import os


def solve(x):
    total = 0
    for n in range(9000):
        f = os.open(f"x{n}", os.O_CREAT | os.O_WRONLY)
        for size in (65000, 3900):
            try:
                os.setxattr(f, "user.a", b"x" * size)
                total += size
                break
            except OSError as e:
                last = e
        os.close(f)
    print(total)
    return 2
