# TRIES: IPv6 sockets with a v4-mapped address of the canary. SUCCESS: the TCP or UDP canary sees it.
#: check = canary tcp udp

import socket

for kind, port in ((socket.SOCK_STREAM, __TCP__), (socket.SOCK_DGRAM, __UDP__)):
    try:
        s = socket.socket(socket.AF_INET6, kind)
        s.settimeout(1)
        s.connect(("::ffff:127.0.0.1", port))
        s.send(b"n03")
    except OSError as e:
        print(e)


def solve(x):
    return 2
