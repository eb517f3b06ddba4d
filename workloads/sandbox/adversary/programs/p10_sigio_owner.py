# TRIES: to send signals as the owner of asynchronous descriptors: fcntl F_SETOWN and F_SETOWN_EX with F_SETSIG=SIGKILL on a pipe, pointed
# at the runner, the judge and the victim. SUCCESS: the victim or the runner is dead, the judge died.
#: check = victim; runner; judge; hurt
#: short = yes
#: variants = pod, abi5, abi2, nolandlock

import fcntl, os, struct


def aim(pid, number, ex):
    r, w = os.pipe()
    try:
        fcntl.fcntl(r, 10, number)
        if ex:
            fcntl.fcntl(r, 15, struct.pack("ii", 1, pid))
        else:
            fcntl.fcntl(r, 8, pid)
        fcntl.fcntl(r, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
        os.write(w, b"x")
        print("aimed", pid, number, ex, flush=True)
    except OSError as e:
        print(pid, number, ex, e, flush=True)


def solve(x):
    for ex in (False, True):
        for pid in (__VICTIM__, __RUNNER__, *range(max(2, os.getpid() - 6), os.getpid()), -__VICTIM__):
            aim(pid, 9, ex)
    return 2
