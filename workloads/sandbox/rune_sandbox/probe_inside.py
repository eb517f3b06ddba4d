"""The part of the isolation proof that runs inside a locked process: it tries what an untrusted program would try."""

import contextlib
import ctypes
import errno
import fcntl
import json
import mmap
import os
import resource
import signal
import socket
import struct
import tempfile
import time
from dataclasses import asdict
from functools import partial
from typing import Any

from rune_sandbox import seccomp
from rune_sandbox.attempts import ANY, BLOCKED, ERROR, REACHED, Attempt, attempt, every
from rune_sandbox.lock import Lock, is_required, limits
from rune_sandbox.processes import REPORT_FD

_FAMILIES = 64  # Linux has 46
# What a program must not have, by its x86_64 and aarch64 numbers; test_parts compares them with the kernel's headers.
# fmt: off
FORBIDDEN = {
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438), "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "chroot": (161, 51), "pivot_root": (155, 41),
    "io_uring_setup": (425, 425), "io_setup": (206, 0), "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282),
    "personality": (135, 92), "keyctl": (250, 219), "memfd_create": (319, 279), "shmget": (29, 194), "inotify_init1": (294, 26),
    "inotify_add_watch": (254, 27), "fanotify_init": (300, 262), "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265),
    "setxattr": (188, 5), "connect": (42, 203),
}
# fmt: on
_KINDS_OF_CALLS = {
    "system calls on other processes": "ptrace process_vm_readv process_vm_writev pidfd_open pidfd_getfd",
    "system calls for namespaces and mounts": "unshare setns mount chroot pivot_root",
    "system calls deep into the kernel": "io_uring_setup io_setup bpf perf_event_open userfaultfd personality",
    "system calls for what outlives a process": "keyctl memfd_create shmget",
    "system calls on files by other ways": "inotify_init1 inotify_add_watch fanotify_init name_to_handle_at open_by_handle_at setxattr",
    "system call connect": "connect",
}
_HOST_FILES = [
    "/proc/sysrq-trigger",
    "/proc/sys/kernel/core_pattern",
    "/sys/kernel/uevent_helper",
    "/dev/mem",
    "/dev/kmsg",
]
_FILTERED = frozenset({errno.EPERM, errno.ENOSYS})
_libc = ctypes.CDLL(None, use_errno=True)


def run(document: dict[str, Any]) -> None:
    lock = Lock(**document["lock"])
    attempts = [
        *_sockets(),
        *_targets(document["targets"]),
        *_files(document["bait"], lock),
        *_other_processes(document["bait"], lock),
        *_system_calls(),
        *_by_arguments(document["bait"]),
        *_limits(lock),
    ]
    with open(REPORT_FD, "w", encoding="utf-8") as report:
        json.dump({"nonce": document["nonce"], "attempts": [asdict(each) for each in attempts]}, report)
    os._exit(0)


def _sockets():
    open_families = []
    for family in range(_FAMILIES):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET):
            with contextlib.suppress(PermissionError):
                if family != socket.AF_UNIX:
                    _open_socket(family, kind, open_families)
    detail = f"families {sorted(set(open_families))}" if open_families else f"families 0 to {_FAMILIES - 1} but AF_UNIX"
    yield Attempt("socket of any family but UNIX", 2, BLOCKED, REACHED if open_families else BLOCKED, detail)


def _open_socket(family: int, kind: int, opened: list[int]) -> None:
    """Any result but the filter's own means that the call reached the kernel."""
    try:
        socket.socket(family, kind, 0).close()
    except PermissionError:
        raise
    except OSError as error:
        if error.errno not in _FILTERED:
            opened.append(family)
        return
    opened.append(family)


def _targets(targets: dict[str, Any]):
    for name, (host, port) in targets.items():
        kind = socket.SOCK_DGRAM if name == "dns" else socket.SOCK_STREAM
        yield attempt(f"{name} over the network", 2, lambda host=host, port=port, kind=kind: _connect(host, port, kind))


def _connect(host: str, port: int, kind: int) -> str:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, kind) as connection:
        connection.settimeout(2)
        connection.connect((host, port))
    return f"connected to {host}:{port}"


def _files(bait: dict[str, Any], lock: Lock):
    by_landlock = BLOCKED if lock.landlock else ANY
    yield attempt("read a file of this user outside the output directory", 2, lambda: _read(bait["file"]), by_landlock)
    yield attempt(
        "write a file of this user outside the output directory", 2, lambda: _write(bait["file"]), by_landlock
    )
    yield attempt(
        "create a file beside the output directory",
        2,
        lambda: _create(os.path.dirname(lock.directory)),
        by_landlock,
    )
    yield every(
        "create files in scratch directories of the system",
        _creations(*[each for each in ("/tmp", "/var/tmp", "/dev/shm", "/run") if each not in lock.shared]),
        by_landlock,
    )
    yield every(
        "create files in directories of the system", _creations("/", "/usr", "/etc", "/workspace", lock.library)
    )
    yield attempt(
        "link to a file outside the output directory",
        2,
        lambda: os.link(bait["file"], "linked"),
        by_landlock,
        frozenset({errno.EPERM, errno.EACCES, errno.EXDEV}),
    )
    yield attempt(
        "rename a file into the output directory",
        2,
        lambda: os.rename(bait["file"], "renamed"),
        by_landlock,
        frozenset({errno.EPERM, errno.EACCES, errno.EXDEV}),
    )
    # Landlock doesn't cover modes, and runner and programs have one user: no file that matters may be this user's own.
    yield attempt("change the mode of a file of this user", 2, lambda: os.chmod(bait["file"], 0o600), ANY)
    yield attempt("cut off a file of this user", 2, lambda: os.truncate(bait["file"], 0), by_landlock)
    yield attempt("read the runner's token", 2, lambda: _read(bait["token"]), by_landlock)
    yield attempt(
        "read the service account token", 2, lambda: _read("/var/run/secrets/kubernetes.io/serviceaccount/token")
    )
    yield every("write files of the host", {path: partial(_open_for_writing, path) for path in _HOST_FILES})
    yield _writable_output()


def _read(path: str) -> str:
    with open(path, "rb") as file:
        return f"read {len(file.read(4096))} bytes"


def _write(path: str) -> str:
    with open(path, "ab") as file:
        file.write(b"escaped")
    return f"wrote {path}"


def _create(directory: str) -> str:
    path = os.path.join(directory, f"escaped-{os.getpid()}")
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
    os.unlink(path)
    return f"created {path}"


def _open_for_writing(path: str) -> None:
    os.close(os.open(path, os.O_RDWR))


def _creations(*directories: str) -> dict[str, Any]:
    return {directory: partial(_create, directory) for directory in directories}


def _writable_output() -> Attempt:
    """The positive control: what must be allowed is."""
    try:
        with tempfile.TemporaryFile() as file:
            file.write(b"allowed")
    except OSError as error:
        return Attempt("write to the output directory", 2, REACHED, BLOCKED, str(error))
    return Attempt("write to the output directory", 2, REACHED, REACHED, "control: this must work")


def _other_processes(bait: dict[str, Any], lock: Lock):
    hidden = {"the runner": os.getppid(), "process 1": 1}
    owners = {**hidden, "another process of this user": bait["pid"]}
    # Without Landlock only processes that hide themselves, as runner and judge do, are hidden.
    read = owners if lock.landlock else hidden
    refused = frozenset({errno.EPERM})
    yield every(
        "environment of other processes", {who: partial(_read, f"/proc/{pid}/environ") for who, pid in read.items()}
    )
    yield every(
        "memory of other processes", {who: partial(_open_for_writing, f"/proc/{pid}/mem") for who, pid in read.items()}
    )
    yield every(
        "signals to other processes", {who: partial(os.kill, pid, 0) for who, pid in owners.items()}, refusals=refused
    )
    yield every(
        "rlimits of other processes",
        {who: partial(resource.prlimit, pid, resource.RLIMIT_NOFILE) for who, pid in owners.items()},
        refusals=refused,
    )
    yield attempt("signal to another process group", 2, lambda: os.killpg(bait["pid"], 0), refusals=refused)


def _system_calls():
    for kind, names in _KINDS_OF_CALLS.items():
        yield every(
            kind,
            {name: partial(_call, FORBIDDEN[name][seccomp.column()]) for name in names.split()},
            refusals=_FILTERED,
        )
    yield _leave_the_group()
    yield attempt(
        "system call clone with a new user namespace",
        2,
        lambda: _call(seccomp.CLONE[seccomp.column()], 0x10000000 | signal.SIGCHLD),
        refusals=_FILTERED,
    )
    yield attempt(
        "system call clone3", 2, lambda: _call(seccomp.CLONE3[seccomp.column()]), refusals=frozenset({errno.ENOSYS})
    )


def _call(number: int | None, *arguments: int) -> None:
    if number is None:
        raise TypeError("this architecture has no such call")
    padded = [ctypes.c_long(value) for value in (*arguments, *[0] * (6 - len(arguments)))]
    result = _libc.syscall(ctypes.c_long(number), *padded)
    if result == 0 and number == seccomp.CLONE[seccomp.column()]:
        os._exit(0)  # we are the child that shouldn't exist
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _leave_the_group() -> Attempt:
    """Tried by a child: a leader couldn't leave anyway.
    The deadline kills the group, so no process may leave it, whatever the calls return.
    """
    child = os.fork()
    if child == 0:
        before = os.getpgrp(), os.getsid(0)
        for leave in (lambda: os.setpgid(0, 0), os.setsid):
            with contextlib.suppress(OSError):
                leave()
        os._exit((os.getpgrp(), os.getsid(0)) != before)
    left = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return Attempt(
        "leaving the process group", 2, BLOCKED, REACHED if left else BLOCKED, "setpgid and setsid, tried by a child"
    )


def _by_arguments(bait: dict[str, Any]):
    """What some calls could do beyond what programs need them for."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        owners = {
            "F_SETOWN": lambda: fcntl.fcntl(ours, fcntl.F_SETOWN, bait["pid"]),
            "F_SETOWN_EX": lambda: fcntl.fcntl(ours, 15, struct.pack("=ii", 1, bait["pid"])),
            "FIOSETOWN": lambda: fcntl.ioctl(ours, 0x8901, struct.pack("=i", bait["pid"])),
            "SIOCSPGRP": lambda: fcntl.ioctl(ours, 0x8902, struct.pack("=i", bait["pid"])),
        }
        yield every(
            "signals to other processes by the owner of a descriptor", owners, refusals=_FILTERED | {errno.ENOTTY}
        )
        yield attempt(
            "names of the pod's network interfaces", 2, lambda: _interface(ours), refusals=_FILTERED | {errno.ENOTTY}
        )
    yield every(
        "sockets of other kinds, or with a name",
        {"connect to a path": partial(_connect_unix, bait["socket"]), **_KINDS},
        refusals=_FILTERED,
    )
    with tempfile.TemporaryFile() as file:
        yield attempt(
            "disk beyond the limit of a file",
            2,
            lambda: _call(seccomp.RULED["fallocate"][seccomp.column()], file.fileno(), 1, 0, 1 << 30),
            refusals=_FILTERED | {errno.EOPNOTSUPP},
        )
    yield attempt(
        "shared memory that no count shows", 2, lambda: mmap.mmap(-1, mmap.PAGESIZE).close(), refusals=_FILTERED
    )


_KINDS = {
    "bind": lambda: socket.socket(socket.AF_UNIX).bind("\0abstract"),
    "datagrams": lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM),
}


def _connect_unix(path: str) -> str:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
    return f"connected to {path}"


def _interface(connection: socket.socket) -> str:
    return f"interface {fcntl.ioctl(connection, 0x8910, struct.pack('=16si20x', b'', 1))[:16].decode()}"  # SIOCGIFNAME


def _limits(lock: Lock):
    yield Attempt(
        "rlimits that are not in force",
        2,
        BLOCKED,
        REACHED if (loose := _loose(lock)) else BLOCKED,
        ", ".join(loose) or "none",
    )
    yield attempt("raising a limit again", 2, _raise_limit)
    yield _too_much_memory(lock)
    yield _fork_bomb(lock)


def _loose(lock: Lock) -> list[str]:
    hard = {name: resource.getrlimit(getattr(resource, name))[1] for name in limits(lock)}
    return [
        f"{name} is {hard[name]}"
        for name, most in limits(lock).items()
        if is_required(name, lock) and (hard[name] == resource.RLIM_INFINITY or hard[name] > most)
    ]


def _raise_limit() -> None:
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (1 << 20, 1 << 20))
    except ValueError as error:  # how Python reports EPERM here
        raise PermissionError(errno.EPERM, str(error)) from None


def _too_much_memory(lock: Lock) -> Attempt:
    try:
        bytearray(lock.memory_bytes)
    except MemoryError:
        return Attempt("more memory than allowed", 2, BLOCKED, BLOCKED, f"no more than {lock.memory_bytes} bytes")
    return Attempt("more memory than allowed", 2, BLOCKED, REACHED, f"got {lock.memory_bytes} bytes")


def _fork_bomb(lock: Lock) -> Attempt:
    """Start processes until the kernel refuses. A substitute runtime is only asked whether it counts them: as many as are
    allowed may need more memory there than the pod has (in gVisor each needs 5 MiB).
    """
    if not lock.landlock:
        return _counted_processes()
    children = 0
    while children <= lock.processes:
        try:
            if os.fork() == 0:
                time.sleep(30)  # the runner ends the whole group
                os._exit(0)
        except BlockingIOError:
            return Attempt("fork bomb", 2, BLOCKED, BLOCKED, f"{children} processes, then no more")
        except OSError as error:
            return Attempt("fork bomb", 2, BLOCKED, ERROR, str(error))
        children += 1
    return Attempt("fork bomb", 2, BLOCKED, REACHED, f"{children} processes")


def _counted_processes() -> Attempt:
    """Whether a process that may have no other can't start one. Where it can, the runner and the pod's limits are left."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NPROC)
    resource.setrlimit(resource.RLIMIT_NPROC, (0, hard))
    try:
        child = os.fork()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
    except OSError as error:
        observed = BLOCKED if isinstance(error, BlockingIOError) else ERROR
        return Attempt("fork bomb", 2, ANY, observed, f"with a limit of none: {error}")
    finally:
        resource.setrlimit(resource.RLIMIT_NPROC, (soft, hard))
    return Attempt("fork bomb", 2, ANY, REACHED, "this runtime doesn't count the processes of a user")
