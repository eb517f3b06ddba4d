# TRIES: to leave something for later executions in /tmp, /var/tmp, /dev/shm, /dev/mqueue and the volume's own directory: files, attributes,
# modes, times. SUCCESS: something outside changed, or the next execution finds it.
#: check = changed; secret first
#: variants = pod, abi2, nolandlock

import os

for place in ("/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue", "/run", "__OUT__", "..", "/proc/self/cwd/.."):
    for leave in (
        lambda: open(f"{place}/f34", "w").write("__SECRET__"),
        lambda: os.mkdir(f"{place}/f34-directory"),
        lambda: os.symlink("__SECRET__", f"{place}/f34-link"),
        lambda: os.setxattr(place, "user.f34", b"__SECRET__"),
        lambda: os.utime(place, (1, 1)),
        lambda: os.chmod(place, 0o777),
    ):
        try:
            leave()
        except OSError:
            pass


def solve(x):
    return 3


# ==== NEXT EXECUTION ====
import os

for place in ("/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue", "/run", "__OUT__", ".."):
    for look in (
        lambda: open(f"{place}/f34").read(),
        lambda: os.readlink(f"{place}/f34-link"),
        lambda: os.getxattr(place, "user.f34"),
    ):
        try:
            print(place, look())
        except OSError:
            pass


def solve(x):
    return 3
