# TRIES: one execution leaves a process that listens on an abstract socket and on a path, and the next one asks it. SUCCESS: the second
# one's output holds the first one's secret.
#: check = secret first
#: short = yes

import os
import socket

if os.fork() == 0:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind("\0adversary-talk")
    listener.listen(1)
    listener.settimeout(5)
    caller, _ = listener.accept()
    caller.send(b"__SECRET__")
    os._exit(0)


def solve(x):
    return 2


# ==== NEXT EXECUTION ====
import socket

try:
    caller = socket.socket(socket.AF_UNIX)
    caller.settimeout(1)
    caller.connect("\0adversary-talk")
    print(caller.recv(100))
except OSError as e:
    print(e)


def solve(x):
    return 2
