# TRIES: SIOCGIFCONF, SIOCGIFHWADDR and others on a UNIX socket, which the filter lets be made. SUCCESS: a hardware address of the pod's
# real interfaces is in the answer.
#: check = hardware
#: short = yes

import fcntl, socket, struct

s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
for index in range(1, 64):
    try:
        name = fcntl.ioctl(s, 0x8910, struct.pack("16si20x", b"", index))[:16].rstrip(b"\0")  # SIOCGIFNAME
    except OSError as e:
        continue
    for number, label in ((0x8927, "hw"), (0x8921, "mtu"), (0x8913, "flags"), (0x8915, "addr")):
        try:
            r = fcntl.ioctl(s, number, name.ljust(40, b"\0"))
            print(name, label, ":".join("%02x" % b for b in r[18:24]))
        except OSError as e:
            print(name, label, e)


def solve(x):
    return 2
