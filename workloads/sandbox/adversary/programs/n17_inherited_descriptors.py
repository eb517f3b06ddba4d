# TRIES: every inherited descriptor: is one a network socket? connect, re-connect, sendto, accept on each. SUCCESS: any canary is reached.
#: check = canary

import socket, os, struct

for fd in range(1024):
    try:
        st = os.fstat(fd)
    except OSError:
        continue
    print(fd, oct(st.st_mode), os.readlink(f"/proc/self/fd/{fd}") if os.path.lexists(f"/proc/self/fd/{fd}") else "?")
    try:
        s = socket.socket(fileno=os.dup(fd))
    except OSError as e:
        continue
    print("socket", s.family, s.type, s.getsockname(), s.getpeername())
    for how in (
        lambda: s.sendto(b"n17", "__UNIXD__"),
        lambda: s.sendto(b"n17", ("127.0.0.1", __UDP__)),
        lambda: s.connect(("127.0.0.1", __TCP__)),
        lambda: s.accept(),
        lambda: s.listen(1),
        lambda: s.connect("__UNIX__"),
    ):
        try:
            how()
            print("did it")
        except Exception as e:
            print(type(e).__name__, e)


def solve(x):
    return 2
