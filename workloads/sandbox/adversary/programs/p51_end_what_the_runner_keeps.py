# TRIES: to end, stop or interrupt the process that programs are forked from, and every other one of the namespace, by all calls that send
# signals, also to groups and to everybody. SUCCESS: a process that the runner keeps is gone, or the victim or the runner changed.
#: check = kept; runner; victim; hurt
#: variants = pod, abi5, abi2, nolandlock
#: short = yes
#: start = syscalls

import signal

NUMBERS = (62, 200, 129, 424)  # kill, tkill, rt_sigqueueinfo, pidfd_send_signal
information = ctypes.create_string_buffer(128)
ctypes.memmove(information, (ctypes.c_int * 3)(15, 0, -1), 12)
own = {os.getpid(), 0}
for pid in set(range(-40, 200)) - own - {-os.getpgrp()}:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGSTOP, signal.SIGKILL):
        if pid == -1 and number in (signal.SIGKILL, signal.SIGSTOP):
            continue  # spares nobody of its own, either
        sc(62, pid, int(number))
        if pid > 0:
            sc(200, pid, int(number))
            sc(234, pid, pid, int(number))
            sc(129, pid, int(number), information)
            sc(297, pid, pid, int(number), information)
            descriptor = sc(434, pid, 0)
            if descriptor >= 0:
                print("pidfd", pid, tell(sc(424, descriptor, int(number), None, 0)))
                os.close(descriptor)


def solve(x):
    return 3
