# TRIES: a UDP datagram to the canary, by sendto, sendmsg and a connected socket. SUCCESS: the UDP canary receives bytes.
#: check = canary udp
#: short = yes

import socket

for how in (0, 1, 2):
    try:
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        if how == 0:
            s.sendto(b"n02", ("127.0.0.1", __UDP__))
        if how == 1:
            s.sendmsg([b"n02"], [], 0, ("127.0.0.1", __UDP__))
        if how == 2:
            s.connect(("127.0.0.1", __UDP__))
            s.send(b"n02")
    except OSError as e:
        print(e)


def solve(x):
    return 2
