# TRIES: the first thread ends (exit, not exit_group) while others go on answering, so that the leader is a zombie with living threads.
# SUCCESS: processes survive, the runner errs or answers over 3 s late.
#: check = survivor; hurt; late 3
#: timeout = 2
#: start = syscalls

import threading, time


def other():
    while True:
        time.sleep(0.1)


for n in range(3):
    threading.Thread(target=other).start()


def solve(x):
    sc(60, 0)
    return 2
