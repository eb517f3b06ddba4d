# TRIES: mount, umount, pivot_root, chroot, the new mount API, swapon, quotactl, mount by the set-uid tools. SUCCESS: the observer sees
# other mounts, or a bait changed.
#: check = mounts; changed; namespace
#: start = syscalls

import subprocess

os.makedirs("m", exist_ok=True)
r = [
    sc(165, b"none", b"m", b"tmpfs", 0, 0),
    sc(165, b"/", b"m", 0, 4096, 0),
    sc(165, b"proc", b"m", b"proc", 0, 0),
    sc(166, b"/proc", 2),
    sc(155, b".", b"m"),
    sc(161, b"."),
    sc(428, -100, b"/", 1),
    sc(429, -100, b"m", -100, b"m", 0),
    sc(430, b"tmpfs", 0),
    sc(431, 3, 6, 0, 0, 0),
    sc(432, 3, 0, 0),
    sc(433, -100, b"/", 0),
    sc(442, -100, b"/", 0, b"\0" * 32, 32),
    sc(167, b"m", 0),
    sc(179, 0, b"m", 0, 0),
    sc(443, 3, 0, 0, 0),
    sc(304, -100, b"\0" * 16, 0),
    sc(300, 0, 0),
    sc(163, 0),
    sc(139, 1, b"ext4"),
]
print([tell(v) for v in r])
for c in (
    ["mount", "-t", "tmpfs", "none", "m"],
    ["umount", "/proc"],
    ["unshare", "-r", "true"],
    ["fusermount", "m"],
    ["bwrap", "--bind", "/", "/", "true"],
):
    try:
        print(c[0], subprocess.run(c, capture_output=True, text=True).stderr[:80])
    except OSError as e:
        print(e)


def solve(x):
    return 2
