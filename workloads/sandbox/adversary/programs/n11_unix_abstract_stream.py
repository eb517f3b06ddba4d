# TRIES: an abstract UNIX socket of another process. SUCCESS: the abstract canary accepts.
#: check = canary abstract
#: variants = pod, abi5

import socket

try:
    s = socket.socket(socket.AF_UNIX)
    s.connect("\0__ABSTRACT__")
    s.send(b"n11")
    print("connected")
except OSError as e:
    print(e)


def solve(x):
    return 2
