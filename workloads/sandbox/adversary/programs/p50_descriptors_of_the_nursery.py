# TRIES: to find a descriptor of the process that programs are forked from, and to order processes from it: JSON orders with descriptors,
# to every socket that is open, of any kind. SUCCESS: the runner is hurt, a wrong program passes, or processes are left.
#: check = passed; survivor; hurt; kept
#: short = yes

import array
import json
import os
import socket
import stat

for descriptor in range(3, 1024):
    try:
        if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
            continue
        peer = socket.socket(fileno=os.dup(descriptor))
        peer.settimeout(0.2)
        print(descriptor, peer.family, peer.type, flush=True)
        if peer.type & socket.SOCK_SEQPACKET == socket.SOCK_SEQPACKET:
            order = json.dumps({"part": "judge", "places": [0]}).encode()
            peer.sendmsg([order], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0]))])
            print(peer.recv(4096))
    except OSError as error:
        print(descriptor, error)


def solve(x):
    return 3
