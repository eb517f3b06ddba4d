# TRIES: to take every inode of the volume: empty files, symbolic links, FIFOs and directories as fast as six processes can. SUCCESS: the honest
# program after it is judged wrongly, files are left, or the answer is late.
#: check = next Passed; leftover; hurt; late 3
#: timeout = 4

import os


def solve(x):
    for worker in range(6):
        if os.fork() == 0:
            n = 0
            while True:
                n += 1
                try:
                    os.mkdir(f"d{worker}-{n}")
                    for m in range(40):
                        os.symlink("x" * 200, f"d{worker}-{n}/s{m}")
                        os.mkfifo(f"d{worker}-{n}/f{m}")
                except OSError:
                    pass
    import time

    time.sleep(3)
    return 3


# ==== NEXT EXECUTION ====
import os


def solve(x):
    for n in range(500):
        open(f"file{n}", "w").close()
    return x + 1
