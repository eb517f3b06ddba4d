"""A seccomp filter built by hand. It is an allow list:
a call that isn't named here doesn't exist for a program, however new the kernel.
"""

import ctypes
import errno
import os
import socket
import struct
from dataclasses import dataclass

from rune_sandbox import landlock

# x86_64 and aarch64 numbers; None where the architecture has no such call. test_parts compares them with the kernel's headers.
# fmt: off
ALLOWED = {
    # files
    "read": (0, 63), "write": (1, 64), "close": (3, 57), "stat": (4, None), "fstat": (5, 80), "lstat": (6, None), "lseek": (8, 62),
    "pread64": (17, 67), "pwrite64": (18, 68), "readv": (19, 65), "writev": (20, 66), "preadv": (295, 69), "pwritev": (296, 70),
    "preadv2": (327, 286), "pwritev2": (328, 287), "access": (21, None), "dup": (32, 23), "dup2": (33, None), "dup3": (292, 24),
    "pipe": (22, None), "pipe2": (293, 59), "sendfile": (40, 71), "fsync": (74, 82), "fdatasync": (75, 83), "ftruncate": (77, 46),
    "getdents": (78, None), "getdents64": (217, 61), "getcwd": (79, 17), "chdir": (80, 49), "fchdir": (81, 50), "rename": (82, None),
    "mkdir": (83, None), "rmdir": (84, None), "creat": (85, None), "link": (86, None), "unlink": (87, None), "symlink": (88, None),
    "readlink": (89, None), "chmod": (90, None), "fchmod": (91, 52), "umask": (95, 166), "utime": (132, None), "utimes": (235, None),
    "statfs": (137, 43), "fstatfs": (138, 44), "mknod": (133, None), "mkdirat": (258, 34), "mknodat": (259, 33),
    "futimesat": (261, None), "newfstatat": (262, 79), "unlinkat": (263, 35), "renameat": (264, 38), "renameat2": (316, 276),
    "linkat": (265, 37), "symlinkat": (266, 36), "readlinkat": (267, 78), "fchmodat": (268, 53), "faccessat": (269, 48),
    "faccessat2": (439, 439), "utimensat": (280, 88), "statx": (332, 291), "fadvise64": (221, 223), "readahead": (187, 213),
    "flock": (73, 32), "splice": (275, 76), "tee": (276, 77), "copy_file_range": (326, 285), "close_range": (436, 436),
    "getxattr": (191, 8), "lgetxattr": (192, 9), "fgetxattr": (193, 10), "listxattr": (194, 11), "llistxattr": (195, 12),
    "flistxattr": (196, 13),
    # waiting
    "poll": (7, None), "ppoll": (271, 73), "select": (23, None), "pselect6": (270, 72), "epoll_create": (213, None),
    "epoll_create1": (291, 20), "epoll_ctl": (233, 21), "epoll_wait": (232, None), "epoll_pwait": (281, 22),
    "epoll_pwait2": (441, 441), "eventfd": (284, None), "eventfd2": (290, 19), "timerfd_create": (283, 85),
    "timerfd_settime": (286, 86), "timerfd_gettime": (287, 87), "signalfd": (282, None), "signalfd4": (289, 74),
    # memory
    "munmap": (11, 215), "mprotect": (10, 226), "mremap": (25, 216), "brk": (12, 214), "mincore": (27, 232), "msync": (26, 227),
    # processes and threads
    "fork": (57, None), "vfork": (58, None), "execve": (59, 221), "execveat": (322, 281), "exit": (60, 93), "exit_group": (231, 94),
    "wait4": (61, 260), "waitid": (247, 95), "getpid": (39, 172), "getppid": (110, 173), "gettid": (186, 178), "getpgrp": (111, None),
    "getpgid": (121, 155), "getsid": (124, 156), "getuid": (102, 174), "geteuid": (107, 175), "getgid": (104, 176),
    "getegid": (108, 177), "getresuid": (118, 148), "getresgid": (120, 150), "getgroups": (115, 158), "capget": (125, 90),
    "set_tid_address": (218, 96), "set_robust_list": (273, 99), "get_robust_list": (274, 100), "futex": (202, 98),
    "futex_waitv": (449, 449), "rseq": (334, 293), "arch_prctl": (158, None), "getrlimit": (97, 163), "setrlimit": (160, 164),
    "getrusage": (98, 165), "times": (100, 153), "sched_yield": (24, 124), "sched_getaffinity": (204, 123),
    "sched_getscheduler": (145, 120), "sched_getparam": (143, 121), "sched_get_priority_max": (146, 125),
    "sched_get_priority_min": (147, 126), "sched_rr_get_interval": (148, 127), "getpriority": (140, 141), "ioprio_get": (252, 31),
    "getcpu": (309, 168), "sysinfo": (99, 179), "uname": (63, 160), "getrandom": (318, 278), "restart_syscall": (219, 128),
    # its own signals, time
    "rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139), "rt_sigpending": (127, 136),
    "rt_sigtimedwait": (128, 137), "rt_sigsuspend": (130, 133), "sigaltstack": (131, 132), "pause": (34, None), "alarm": (37, None),
    "getitimer": (36, 102), "setitimer": (38, 103), "timer_create": (222, 107), "timer_settime": (223, 110),
    "timer_gettime": (224, 108), "timer_getoverrun": (225, 109), "timer_delete": (226, 111), "nanosleep": (35, 101),
    "clock_nanosleep": (230, 115), "clock_gettime": (228, 113), "clock_getres": (229, 114), "gettimeofday": (96, 169),
    "time": (201, None),
    # over sockets from socketpair
    "sendto": (44, 206), "recvfrom": (45, 207), "sendmsg": (46, 211), "recvmsg": (47, 212), "shutdown": (48, 210),
    "getsockname": (51, 204), "getpeername": (52, 205), "getsockopt": (55, 209),
}
# Allowed for some arguments only, or only pretended; see `_rules`.
RULED = {
    "mmap": (9, 222), "fcntl": (72, 25), "ioctl": (16, 29), "madvise": (28, 233), "open": (2, None), "openat": (257, 56),
    "openat2": (437, 437), "truncate": (76, 45), "fallocate": (285, 47), "clone": (56, 220), "clone3": (435, 435),
    "prlimit64": (302, 261), "prctl": (157, 167), "socketpair": (53, 199), "kill": (62, 129), "tkill": (200, 130),
    "tgkill": (234, 131), "setsid": (112, 157), "setpgid": (109, 154), "setpriority": (141, 140), "sched_setaffinity": (203, 122),
    "sync": (162, 81), "syncfs": (306, 267),
}
# fmt: on
LAST_KNOWN = 450  # newer calls (and x86's whole x32 table) don't exist in here: libc then does without
CLONE, CLONE3 = RULED["clone"], RULED["clone3"]
ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # column in the tables, AUDIT_ARCH

_LOAD, _AND, _JUMP_EQUAL, _JUMP_ABOVE, _RETURN = 0x20, 0x54, 0x15, 0x25, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
_ALLOW, _KILL_PROCESS, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_PR_SET_SECCOMP, _MODE_FILTER = 22, 2

_WHOLE = 0xFFFFFFFF
_CLONE_NEW_FLAGS = 0x7E020080  # NEWTIME, NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET
_CLONE_PARENT = 0x8000
_SHARED, _ANONYMOUS = 0x1, 0x20
# DUPFD, GETFD, SETFD, GETFL, SETFL, GETLK, SETLK, SETLKW, the three of OFD locks, DUPFD_CLOEXEC, GETPIPE_SZ: no owners
# of signals, no leases, no notices, no larger pipes.
_FCNTL = (0, 1, 2, 3, 4, 5, 6, 7, 36, 37, 38, 1030, 1032)
# TCGETS, TIOCGWINSZ, TIOCGPGRP, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX, FICLONE, TCGETS2: used to detect a terminal.
_IOCTL = (0x5401, 0x5413, 0x540F, 0x541B, 0x5421, 0x5450, 0x5451, 0x40049409, 0x802C542A)
# NORMAL to DONTNEED, FREE, DONTFORK, DOFORK, HUGEPAGE to WIPEONFORK and KEEPONFORK, POPULATE_*: nothing that merges, moves out or poisons.
_MADVISE = (0, 1, 2, 3, 4, 8, 10, 11, 14, 15, 16, 17, 18, 19, 22, 23)
# PDEATHSIG, DUMPABLE (read), NAME, SECCOMP, CAPBSET, TIMERSLACK, CHILD_SUBREAPER, NO_NEW_PRIVS, TID_ADDRESS, THP_DISABLE, SET_VMA.
_PRCTL = (1, 2, 3, 15, 16, 21, 23, 29, 30, 36, 37, 38, 39, 40, 41, 42, 0x53564D41)
_KINDS_OF_SOCKET = socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK


def _refused(number: int) -> int:
    """What the kernel returns in place of the call; 0 pretends success."""
    return _ERRNO | number


@dataclass(frozen=True)
class _Rule:
    """`then` if each argument (its low half, masked) is one of its values, otherwise `otherwise`."""

    arguments: tuple[tuple[int, int, tuple[int, ...]], ...] = ()
    then: int = _ALLOW
    otherwise: int = _refused(errno.EPERM)

    def instructions(self) -> list[tuple[int, int, int, int]]:
        made: list[tuple[int, int, int, int]] = []
        for index, mask, values in self.arguments:
            made += [(_LOAD, 0, 0, _ARGUMENTS + 8 * index), (_AND, 0, 0, mask)]
            made += [(_JUMP_EQUAL, len(values) - at, 0, value) for at, value in enumerate(values)]
            made += [(_RETURN, 0, 0, self.otherwise)]
        return [*made, (_RETURN, 0, 0, self.then)]


def _one_of(index: int, values: tuple[int, ...], otherwise: int = errno.EPERM, mask: int = _WHOLE) -> _Rule:
    return _Rule(((index, mask, values),), otherwise=_refused(otherwise))


def _rules(version: int) -> dict[str, _Rule]:
    """By name of the call. `version` is Landlock's: what an older version doesn't refuse is refused here."""
    pretended, absent = _Rule(then=_refused(0)), _Rule(then=_refused(errno.ENOSYS))
    rules = {
        "mmap": _one_of(
            3, (0, _SHARED, _ANONYMOUS), mask=_SHARED | _ANONYMOUS
        ),  # shared and anonymous: pages that aren't counted
        "fcntl": _one_of(1, _FCNTL),
        "ioctl": _one_of(1, _IOCTL, errno.ENOTTY),
        "madvise": _one_of(2, _MADVISE, errno.EINVAL),
        "fallocate": _one_of(1, (0,), errno.EOPNOTSUPP),  # RLIMIT_FSIZE doesn't apply to the other modes
        "clone": _one_of(0, (0,), mask=_CLONE_NEW_FLAGS | _CLONE_PARENT),
        "clone3": absent,  # its flags are in memory that a filter can't read; libc falls back to clone
        "prlimit64": _one_of(0, (0,)),
        "prctl": _one_of(0, _PRCTL, errno.EINVAL),
        "socketpair": _Rule(((0, _WHOLE, (socket.AF_UNIX,)), (1, _WHOLE ^ _KINDS_OF_SOCKET, (socket.SOCK_STREAM,)))),
        "setsid": pretended,  # the deadline kills the group, so no process may leave it
        "setpgid": pretended,
        "setpriority": _Rule(((1, _WHOLE, (0,)),), then=_refused(0)),
        "sched_setaffinity": _Rule(((0, _WHOLE, (0,)),), then=_refused(0)),
        "sync": pretended,
        "syncfs": pretended,
        **dict.fromkeys(("open", "openat", "openat2", "truncate", "kill", "tkill", "tgkill"), _Rule()),
    }
    if version < landlock.SIGNAL_SCOPE_ABI:  # runner and judge have the same user; 0 is the own group
        rules["kill"] = _one_of(0, (os.getpid(), 0))
        rules["tkill"] = rules["tgkill"] = _one_of(0, (os.getpid(),))
    if 0 < version < landlock.TRUNCATE_ABI:
        cuts = tuple(
            how | access
            for how in (0, os.O_TRUNC)
            for access in (os.O_RDONLY, os.O_WRONLY, os.O_RDWR)
            if how | access != os.O_TRUNC
        )
        rules["open"] = _one_of(1, cuts, mask=os.O_TRUNC | os.O_ACCMODE)
        rules["openat"] = _one_of(2, cuts, mask=os.O_TRUNC | os.O_ACCMODE)
        rules["openat2"] = absent
        rules["truncate"] = _Rule(then=_refused(errno.EPERM))
    return rules


def column() -> int:
    """The tables' column for this machine; raises on an architecture without one."""
    machine = os.uname().machine
    if machine not in ARCHITECTURES:
        raise OSError(errno.ENOSYS, f"no seccomp filter for {machine}; sandboxes run on {' and '.join(ARCHITECTURES)}")
    return ARCHITECTURES[machine][0]


def program(version: int) -> list[tuple[int, int, int, int]]:
    """The filter as (code, jump if true, jump if false, constant), for a process under this version of Landlock (0: none)."""
    at = column()
    made = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_JUMP_EQUAL, 1, 0, ARCHITECTURES[os.uname().machine][1]),
        (_RETURN, 0, 0, _KILL_PROCESS),
        (_LOAD, 0, 0, _NUMBER),
        (_JUMP_ABOVE, 0, 1, LAST_KNOWN),
        (_RETURN, 0, 0, _refused(errno.ENOSYS)),
    ]
    decided = [(RULED[name], rule) for name, rule in _rules(version).items()] + [
        (numbers, _Rule()) for numbers in ALLOWED.values()
    ]
    for numbers, rule in decided:
        if (number := numbers[at]) is not None:
            instructions = rule.instructions()
            made += [(_JUMP_EQUAL, 0, len(instructions), number), *instructions]
    return [*made, (_RETURN, 0, 0, _refused(errno.EPERM))]


def install(version: int) -> None:
    """Filter this thread and everything it starts, permanently. Needs no_new_privs."""
    rules = program(version)
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *rule) for rule in rules))

    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]

    libc = ctypes.CDLL(None, use_errno=True)
    filter_program = Program(len(rules), ctypes.addressof(code))
    if libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(filter_program), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "the kernel refused the seccomp filter")
