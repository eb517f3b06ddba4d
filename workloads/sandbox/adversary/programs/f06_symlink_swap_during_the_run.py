# TRIES: children swap a directory of the output for a symlink to a bait directory as fast as they can while the runner looks through and
# then removes the tree. SUCCESS: something in the bait directory is gone or has another mode.
#: check = changed; leftover; hurt
#: short = yes
#: timeout = 3
#: start = syscalls

import time

for n in range(20):
    os.makedirs(f"d{n}/inner/inner", exist_ok=True)
    os.symlink("__OPENDIR__", f"l{n}")


def solve(x):
    for k in range(2):
        if os.fork() == 0:
            while True:
                for n in range(k * 10, k * 10 + 10):
                    sc(316, -100, f"d{n}".encode(), -100, f"l{n}".encode(), 2)  # RENAME_EXCHANGE
    time.sleep(2)
    return 2
