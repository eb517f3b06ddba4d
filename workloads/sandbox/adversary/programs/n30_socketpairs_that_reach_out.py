# TRIES: sockets that socketpair gives, of every kind, to reach sockets with a path or an abstract name: connect, bind and listen on them, send
# with an address, pass descriptors. SUCCESS: a canary is reached.
#: check = canary
#: variants = pod, abi5, nolandlock
#: short = yes

import socket

for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET, socket.SOCK_RAW):
    for address in ("__UNIX__", "__UNIXD__", "\0__ABSTRACT__", "\0__ABSTRACT__-d"):
        for act in (
            lambda s: s.sendto(b"n30", address),
            lambda s: s.sendmsg([b"n30"], [], 0, address),
            lambda s: (s.connect(address), s.send(b"n30")),
            lambda s: (s.bind("\0n30"), s.listen(1)),
        ):
            try:
                left, right = socket.socketpair(socket.AF_UNIX, kind)
                print(kind, address, act(left))
            except OSError as error:
                print(error.errno, end=" ")


def solve(x):
    return 3
