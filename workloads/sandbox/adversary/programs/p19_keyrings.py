# TRIES: add_key, request_key, keyctl (session, user and persistent keyrings), which outlive processes. SUCCESS: the observer sees keys of
# the sandbox user in /proc/key-users.
#: check = peak keys 0
#: start = syscalls

r = [sc(248, b"user", b"adv", b"left", 4, k) for k in (-1, -2, -3, -4, -5)] + [
    sc(249, b"user", b"adv", 0, -4),
    sc(250, 1, b"adv"),
    sc(250, 22, -1, -3),
    sc(250, 0, -4, 1),
    sc(250, 11, -3, b"\0" * 64, 64),
]
print([tell(v) for v in r])
import time

time.sleep(0.2)


def solve(x):
    return 2
