# TRIES: to open devices: terminals, memory, kvm, fuse, tun, loop, disks, watch dogs; and ioctls on the five that it may open. SUCCESS:
# the observer sees such a descriptor.
#: variants = pod, abi2
#: check = descriptor /dev/tty /dev/ptmx /dev/pts /dev/mem /dev/kmsg /dev/kvm /dev/fuse /dev/net /dev/loop /dev/vda /dev/vhost /dev/rtc /dev/uinput /dev/userfaultfd

import os, time, fcntl

held = []
for d in (
    "tty",
    "ptmx",
    "pts/ptmx",
    "pts/0",
    "console",
    "mem",
    "kmsg",
    "kvm",
    "fuse",
    "net/tun",
    "loop-control",
    "loop0",
    "vda",
    "vhost-vsock",
    "vsock",
    "rtc0",
    "uinput",
    "userfaultfd",
    "hwrng",
    "watchdog",
    "mapper/control",
    "snd/timer",
    "dri/card0",
):
    for m in (os.O_RDONLY, os.O_RDWR):
        try:
            held.append(os.open("/dev/" + d, m))
            print("opened", d)
        except OSError as e:
            pass
for d in ("null", "zero", "full", "random", "urandom"):
    f = os.open("/dev/" + d, os.O_RDWR)
    for n in (0x5203, 0x5204, 0x40085203, 0x5401, 0x541B, 0x1260):
        try:
            fcntl.ioctl(f, n, b"\0" * 16)
            print("ioctl", d, hex(n))
        except OSError as e:
            pass
time.sleep(0.2)


def solve(x):
    return 2
