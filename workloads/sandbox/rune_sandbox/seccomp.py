"""A seccomp filter built by hand: no socket but UNIX ones, and none of the calls that reach into the kernel or other processes."""

import ctypes
import errno
import os
import socket
import struct

# x86_64 and aarch64 numbers; None where the architecture has no such call. test_seccomp compares them with the kernel's headers.
# fmt: off
REFUSED = {
    # other processes
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "process_madvise": (440, 440),
    "process_mrelease": (448, 448), "kcmp": (312, 272), "pidfd_getfd": (438, 438), "move_pages": (279, 239),
    "migrate_pages": (256, 238), "setpriority": (141, 140), "sched_setparam": (142, 118), "sched_setscheduler": (144, 119),
    "sched_setattr": (314, 274), "sched_setaffinity": (203, 122), "ioprio_set": (251, 30),
    # leaving the process group, which is what the deadline kills
    "setsid": (112, 157), "setpgid": (109, 154),
    # namespaces and file systems
    "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51),
    "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432),
    "fspick": (433, 433), "mount_setattr": (442, 442), "open_by_handle_at": (304, 265), "fanotify_init": (300, 262),
    "quotactl": (179, 60), "quotactl_fd": (443, 443), "swapon": (167, 224), "swapoff": (168, 225), "acct": (163, 89),
    "sysfs": (139, None), "ustat": (136, None), "nfsservctl": (180, 42), "lookup_dcookie": (212, 18),
    # kernel surface
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427), "bpf": (321, 280),
    "perf_event_open": (298, 241), "userfaultfd": (323, 282), "keyctl": (250, 219), "add_key": (248, 217), "request_key": (249, 218),
    "kexec_load": (246, 104), "kexec_file_load": (320, 294), "init_module": (175, 105), "finit_module": (313, 273),
    "delete_module": (176, 106), "create_module": (174, None), "query_module": (178, None), "get_kernel_syms": (177, None),
    "personality": (135, 92), "reboot": (169, 142), "syslog": (103, 116), "sethostname": (170, 161), "setdomainname": (171, 162),
    "settimeofday": (164, 170), "clock_settime": (227, 112), "clock_adjtime": (305, 266), "adjtimex": (159, 171), "vhangup": (153, 58),
    "iopl": (172, None), "ioperm": (173, None), "modify_ldt": (154, None), "uselib": (134, None), "_sysctl": (156, None),
    "mbind": (237, 235), "set_mempolicy": (238, 237), "set_mempolicy_home_node": (450, 450), "vmsplice": (278, 75),
    # memory and messages that outlive the process, or that no rlimit counts
    "shmget": (29, 194), "shmat": (30, 196), "semget": (64, 190), "msgget": (68, 186), "msgsnd": (69, 189), "mq_open": (240, 180),
    "memfd_create": (319, 279), "memfd_secret": (447, 447),
}
# fmt: on
# Without Landlock's signal scope a process may signal only itself: the runner and the judge have the same user.
SIGNALS = {"kill": (62, 129), "tkill": (200, 130), "tgkill": (234, 131)}
QUEUED_SIGNALS = {"rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240), "pidfd_send_signal": (424, 424)}
SOCKETS = {"socket": (41, 198), "socketpair": (53, 199)}
CLONE = (56, 220)
CLONE3 = (435, 435)
PRLIMIT64 = (302, 261)
LAST_KNOWN = 450  # anything younger (and x86's whole x32 table) doesn't exist in here
CLONE_NEW_FLAGS = 0x7E020080  # NEWTIME, NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET

ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # column in the tables, AUDIT_ARCH
_LOAD, _JUMP_EQUAL, _JUMP_ABOVE, _JUMP_BITS, _RETURN = 0x20, 0x15, 0x25, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENT_0 = 0, 4, 16
_ALLOW, _KILL_PROCESS, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_PR_SET_SECCOMP, _MODE_FILTER = 22, 2


def column() -> int:
    """Which column of the tables this machine uses; raises where the filter was never written for it."""
    machine = os.uname().machine
    if machine not in ARCHITECTURES:
        raise OSError(errno.ENOSYS, f"no seccomp filter for {machine}; sandboxes run on {' and '.join(ARCHITECTURES)}")
    return ARCHITECTURES[machine][0]


def program(own_signals_only: bool) -> list[tuple[int, int, int, int]]:
    """The filter as (code, jump if true, jump if false, constant)."""
    at = column()
    refuse = (_RETURN, 0, 0, _ERRNO | errno.EPERM)
    absent = (_RETURN, 0, 0, _ERRNO | errno.ENOSYS)
    allow = (_RETURN, 0, 0, _ALLOW)
    rules = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_JUMP_EQUAL, 1, 0, ARCHITECTURES[os.uname().machine][1]),
        (_RETURN, 0, 0, _KILL_PROCESS),
        (_LOAD, 0, 0, _NUMBER),
        (_JUMP_ABOVE, 0, 1, LAST_KNOWN),
        absent,
        (_JUMP_EQUAL, 0, 1, CLONE3[at]),  # its flags lie in memory a filter can't read; libc falls back to clone
        absent,
    ]
    for numbers in (REFUSED | QUEUED_SIGNALS if own_signals_only else REFUSED).values():
        if numbers[at] is not None:
            rules += [(_JUMP_EQUAL, 0, 1, numbers[at]), refuse]
    for numbers in SOCKETS.values():
        rules += _only_with_argument(numbers[at], [socket.AF_UNIX], allow, refuse)
    rules += _only_with_argument(PRLIMIT64[at], [0], allow, refuse)
    for numbers in SIGNALS.values() if own_signals_only else ():
        rules += _only_with_argument(numbers[at], [os.getpid()], allow, refuse)
    rules += [(_JUMP_EQUAL, 0, 4, CLONE[at]), (_LOAD, 0, 0, _ARGUMENT_0), (_JUMP_BITS, 0, 1, CLONE_NEW_FLAGS), refuse, allow]
    return [*rules, allow]


def _only_with_argument(number: int, accepted: list[int], allow: tuple, refuse: tuple) -> list[tuple]:
    """`number` passes only if the low half of its first argument (an int in every call used here) is one of `accepted`."""
    checks = [rule for value in accepted for rule in ((_JUMP_EQUAL, 0, 1, value), allow)]
    return [(_JUMP_EQUAL, 0, len(checks) + 2, number), (_LOAD, 0, 0, _ARGUMENT_0), *checks, refuse]


def install(own_signals_only: bool) -> None:
    """Filter this thread and everything it starts, for ever. Needs no_new_privs."""
    rules = program(own_signals_only)
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *rule) for rule in rules))

    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]

    libc = ctypes.CDLL(None, use_errno=True)
    filter_program = Program(len(rules), ctypes.addressof(code))
    if libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(filter_program), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "the kernel refused the seccomp filter")
