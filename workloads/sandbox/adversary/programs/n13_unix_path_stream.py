# TRIES: a UNIX socket with a path outside the output directory, that file permissions let everybody use (a service on the node or a
# sidecar). SUCCESS: the canary at that path accepts and receives bytes.
#: check = canary unix
#: short = yes

import socket

try:
    s = socket.socket(socket.AF_UNIX)
    s.connect("__UNIX__")
    s.send(b"n13 out of the sandbox")
    print("connected")
except OSError as e:
    print(e)


def solve(x):
    return 2
