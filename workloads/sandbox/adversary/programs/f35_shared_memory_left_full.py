# TRIES: to leave /dev/shm, where programs may have shared memory, full, closed or with names that others use: files, directories without
# rights, links, files without a name held by a process that is to survive. SUCCESS: the honest program after it is judged wrongly, or
# something is left.
#: check = next Passed; changed; survivor; hurt
#: short = yes

import os
import signal

for n in range(40):
    try:
        with open(f"/dev/shm/f35-{n}", "wb") as file:
            file.write(b"x" * (2 << 20))
    except OSError as error:
        print(error)
        break
for leave in (
    lambda: os.makedirs("/dev/shm/closed/deep/deeper"),
    lambda: os.chmod("/dev/shm/closed/deep", 0),
    lambda: os.symlink("/etc/passwd", "/dev/shm/psm_link"),
    lambda: os.mkfifo("/dev/shm/sem.fifo"),
    lambda: os.chmod("/dev/shm", 0),
):
    try:
        leave()
    except OSError as error:
        print(error)
kept = os.open("/dev/shm/f35-kept", os.O_CREAT | os.O_RDWR)
os.unlink("/dev/shm/f35-kept")
if os.fork() == 0:
    os.write(kept, b"x" * (4 << 20))
    signal.pause()
os.kill(os.getpid(), 9)


def solve(x):
    return 3


# ==== NEXT EXECUTION ====
from multiprocessing import Lock, shared_memory


def solve(x):
    lock = Lock()
    memory = shared_memory.SharedMemory(create=True, size=8 << 20)
    with lock:
        memory.buf[:3] = bytes([x, x, x])
        total = sum(memory.buf[:3])
    memory.close()
    memory.unlink()
    return total - 1
