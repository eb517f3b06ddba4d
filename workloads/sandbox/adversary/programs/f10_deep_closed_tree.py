# TRIES: a tree deeper than a path can name, each level closed (mode 0), with files in it. SUCCESS: something is left in the output
# volume, the runner hangs, or it answers long after the deadline.
#: check = leftover; hurt; late 4

import os

here = os.open(".", os.O_RDONLY)
for n in range(4000):
    try:
        os.mkdir("d" * 200, dir_fd=here)
        inner = os.open("d" * 200, os.O_RDONLY, dir_fd=here)
    except OSError:
        break
    for m in range(1):
        os.close(os.open(f"f{m}", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.fchmod(here, 0)
    os.close(here)
    here = inner


def solve(x):
    return 2
