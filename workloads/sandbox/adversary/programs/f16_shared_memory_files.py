# TRIES: /dev/shm by path, shm_open, sem_open, memfd_create, memfd_secret, hugetlb, to hold memory or leave something. SUCCESS: a new name
# in /dev/shm or /dev/mqueue, or the observer sees a memfd.
#: check = changed; descriptor memfd:f16 secretmem mqueue
#: start = syscalls

import time

rt = ctypes.CDLL(None, use_errno=True)
print(
    rt.shm_open(b"/f16", 0o102, 0o600),
    rt.sem_open(b"/f16", 0o100, 0o600, 1),
    rt.mq_open(b"/f16", 0o102, 0o600, None),
    tell(sc(319, b"f16", 0)),
    tell(sc(447, 0)),
)
for name in ("memfd_create",):
    try:
        print(os.memfd_create("f16"))
    except OSError as e:
        print(e)
for p in ("/dev/shm/f16", "/dev/mqueue/f16", "/dev/hugepages/f16"):
    try:
        open(p, "w")
    except OSError as e:
        print(e)
time.sleep(0.3)


def solve(x):
    return 2
