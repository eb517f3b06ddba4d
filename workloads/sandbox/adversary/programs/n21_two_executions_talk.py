# TRIES: two executions at once (a runner with its default concurrency of 2) talk over an abstract socket and over a path. SUCCESS: the
# second one's output holds the first one's secret.
#: variants = concurrent
#: check = neighbourtext

import socket, time, os

s = socket.socket(socket.AF_UNIX)
s.bind("\0adv-talk")
s.listen(1)
s.settimeout(2)
print(os.getcwd())
try:
    c, _ = s.accept()
    c.send(b"__SECRET__")
except OSError as e:
    print(e)


def solve(x):
    return 2


# ==== CONCURRENT EXECUTION ====
import socket

s = socket.socket(socket.AF_UNIX)
try:
    s.connect("\0adv-talk")
    print(s.recv(100))
except OSError as e:
    print(e)


def solve(x):
    return 2
