# TRIES: what Landlock doesn't cover: chmod, utime, setxattr, chown on a file and a directory outside that have its user. SUCCESS: mode,
# time or attributes of the bait changed.
#: check = changed

import os

for p in ("__BAIT__", "__OPENDIR__/one", "__OUT__", "__LIB__", "__TOKENFILE__", "__HOME__/app"):
    for how in (
        lambda: os.chmod(p, 0o7777),
        lambda: os.utime(p, (1, 1)),
        lambda: os.setxattr(p, "user.f18", b"left by the program"),
        lambda: os.chown(p, -1, os.getgid()),
    ):
        try:
            how()
            print("did it on", p)
        except OSError as e:
            print(e.errno, end=" ")


def solve(x):
    return 2
