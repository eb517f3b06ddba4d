# TRIES: AF_ALG, the kernel's crypto. SUCCESS: the observer sees ALG sockets while the program holds one.
#: check = protocol ALG

import socket, time

try:
    s = socket.socket(38, 5, 0)
    s.bind(("hash", "sha256"))
    o, _ = s.accept()
    o.send(b"x")
    print(o.recv(32).hex())
    time.sleep(0.4)
except OSError as e:
    print(e)


def solve(x):
    return 2
