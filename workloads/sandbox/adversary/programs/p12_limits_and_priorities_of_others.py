# TRIES: prlimit, setpriority, ioprio_set, sched_setaffinity, sched_setscheduler, sched_setattr, migrate_pages on the runner, the judge,
# the victim and process 1. SUCCESS: the observer sees a changed limit, priority, affinity or policy.
#: check = victim; runner
#: start = syscalls

import struct

buf = ctypes.create_string_buffer(struct.pack("QQ", 1, 1))
mask = ctypes.create_string_buffer(b"\1" + bytes(127))
param = ctypes.create_string_buffer(bytes(64))


def solve(x):
    for pid in (__RUNNER__, __VICTIM__, 1, *range(max(2, os.getpid() - 6), os.getpid())):
        r = (
            [sc(302, pid, k, buf, 0) for k in range(16)]
            + [sc(302, pid | 1 << 32, 7, buf, 0)]
            + [sc(141, w, pid, 19) for w in (0, 1, 2)]
            + [sc(251, w, pid, 3 << 13) for w in (1, 2, 3)]
            + [sc(203, pid, 128, mask), sc(144, pid, 5, param), sc(142, pid, param), sc(314, pid, param, 0), sc(256, pid, 1024, mask, mask)]
        )
        print(pid, {tell(v) for v in r})
    try:
        os.nice(5)
        print("niced itself")
    except OSError as e:
        print(e)
    return 2
