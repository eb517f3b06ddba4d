# TRIES: datagrams to an abstract UNIX socket, by sendto, sendmsg and connect. SUCCESS: the abstract datagram canary receives bytes.
#: check = canary abstractdgram
#: variants = pod, abi5

import socket

a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
for s in (socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM), a):
    for how in (
        lambda: s.sendto(b"n12", "\0__ABSTRACT__-d"),
        lambda: s.sendmsg([b"n12"], [], 0, "\0__ABSTRACT__-d"),
        lambda: (s.connect("\0__ABSTRACT__-d"), s.send(b"n12")),
    ):
        try:
            how()
            print("sent")
        except OSError as e:
            print(e)


def solve(x):
    return 2
