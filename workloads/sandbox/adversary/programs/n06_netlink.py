# TRIES: netlink (route, generic, audit, sock_diag) to read the node's interfaces. SUCCESS: a hardware address of the host's network is in
# the answer.
#: check = hardware
#: short = yes

import socket, struct, time

for proto in (0, 4, 9, 12, 15, 16):
    try:
        s = socket.socket(16, 3, proto)
        s.send(struct.pack("=IHHIIBxHiII", 32, 18, 0x301, 1, 0, 0, 0, 0, 0, 0))
        d = s.recv(65536)
        for i in range(len(d) - 6):
            print(":".join("%02x" % b for b in d[i : i + 6]))
    except OSError as e:
        print(proto, e)
time.sleep(0.3)


def solve(x):
    return 2
