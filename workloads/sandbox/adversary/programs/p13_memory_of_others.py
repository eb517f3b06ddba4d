# TRIES: ptrace (attach, seize, traceme by a child), process_vm_readv/writev, process_madvise, kcmp, pidfd_getfd, /proc/pid/mem on the
# victim, the judge, the runner. SUCCESS: the victim's secret is in the answer, or the victim is traced.
#: check = secret victim; victim; runner
#: variants = pod, nolandlock
#: start = syscalls

import struct


def solve(x):
    local = ctypes.create_string_buffer(1 << 16)
    for pid in (__VICTIM__, *range(max(2, os.getpid() - 6), os.getpid()), __RUNNER__):
        r = [sc(101, k, pid, 0, 0) for k in (16, 0x4206, 1, 2)]
        for address in (0x400000, 0x555555554000, 0x7FFFFFFDE000):
            liov = struct.pack("QQ", ctypes.addressof(local), 1 << 16)
            riov = struct.pack("QQ", address, 1 << 16)
            r += [sc(310, pid, liov, 1, riov, 1, 0), sc(311, pid, liov, 1, riov, 1, 0)]
        fd = sc(434, pid, 0)
        for k in range(6):
            got = sc(438, fd, k, 0)
            r.append(got)
        r += [sc(312, os.getpid(), pid, 0, 1, 1), sc(440, fd, liov, 1, 20, 0), sc(448, fd, 0)]
        print(pid, {tell(v) for v in r}, local.raw.strip(b"\0")[:200])
    return 2
