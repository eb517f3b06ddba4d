# TRIES: to create files in every directory outside its own. SUCCESS: the observer sees a new name in /, /tmp, /var/tmp, /dev/shm, the
# output volume, the library, the runner's code or a world-writable directory.
#: variants = pod, abi2, abi1
#: check = changed
#: short = yes

import os

for d in (
    "/",
    "/tmp",
    "/var/tmp",
    "/dev/shm",
    "/run",
    "/etc",
    "/usr",
    "/dev",
    "/dev/mqueue",
    "__OUT__",
    "__LIB__",
    "__OPENDIR__",
    "__HOME__",
    "__HOME__/app/rune_sandbox",
    "..",
    "/proc/self/cwd/..",
    "/proc/self/root/tmp",
):
    for how in (
        lambda p: open(p, "w").close(),
        os.mkdir,
        lambda p: os.symlink("x", p),
        os.mkfifo,
        lambda p: os.mknod(p, 0o100666),
        lambda p: os.link("mine", p),
        lambda p: os.rename("mine", p),
        lambda p: os.close(os.open(d, os.O_TMPFILE | os.O_RDWR)),
    ):
        open("mine", "w").close()
        try:
            how(d + "/f01-escaped")
            print("created in", d)
        except OSError as e:
            pass


def solve(x):
    return 2
