# TRIES: System V shared memory, semaphores, messages, POSIX queues and semaphores that would stay for the next execution. SUCCESS: the
# observer sees System V objects, or a queue's descriptor.
#: check = peak ipc 0; descriptor mqueue; changed
#: start = syscalls

import time

r = [
    sc(29, 0, 4096, 0o1666),
    sc(29, 77, 4096, 0o1666),
    sc(64, 77, 1, 0o1666),
    sc(68, 77, 0o1666),
    sc(240, b"adv", 0o102, 0o666, 0),
    sc(30, 0, 0, 0),
    sc(69, 0, b"\1" + bytes(15), 8, 0),
    sc(65, 0, b"\0" * 6, 1),
    sc(70, 0, b"\0" * 64, 32, 0, 0),
    sc(241, b"adv"),
]
print([tell(v) for v in r])
time.sleep(0.2)


def solve(x):
    return 2
