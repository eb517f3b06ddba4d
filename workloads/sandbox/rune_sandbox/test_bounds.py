"""What a program could hold or reach by calls that can do more than programs need."""

import os
import subprocess
import sys
import tempfile
import unittest
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from rune_sandbox import usage
from rune_sandbox.harness import LiveRunner

WANTED = "assert solve(1) == 2"
CALLS = "import ctypes, errno, fcntl, mmap, os, signal, socket, struct, sys, time\nlibc = ctypes.CDLL(None, use_errno=True)\n"


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.runner = cls.enterClassContext(LiveRunner())

    def tearDown(self):
        self.assertEqual(self.runner.execute("def solve(x):\n    return 2", WANTED)["outcome"], "Passed")
        self.assertEqual((self.runner.processes(), os.listdir(self.runner.out)), (2, []))

    def answer_of(self, body: str) -> str:
        """The name of the error that `body` met, or what it returned."""
        lines = "".join(f"        {line}\n" for line in body.splitlines())
        program = f"{CALLS}def solve(x):\n    try:\n{lines}    except OSError as e:\n        return errno.errorcode[e.errno]\n    return 'done'"
        answer = self.runner.execute(program, "print(solve(1))\nassert True")
        self.assertEqual(answer["outcome"], "Passed", answer)
        return answer["stdout"].strip()


class Arguments(Case):
    def test_no_descriptor_gets_an_owner_that_it_signals(self):
        for command in (8, 10, 15):
            self.assertEqual(
                self.answer_of(f"fcntl.fcntl(socket.socketpair()[0], {command}, {self.runner.pid})"), "EPERM", command
            )
        for request in (0x5452, 0x8901, 0x8902):
            self.assertEqual(
                self.answer_of(f"fcntl.ioctl(socket.socketpair()[0], {request}, struct.pack('=i', {self.runner.pid}))"),
                "ENOTTY",
                request,
            )

    def test_leases_and_notices_are_refused(self):
        for command in (1024, 1026, 1031):
            self.assertEqual(self.answer_of(f"fcntl.fcntl(os.open('.', os.O_RDONLY), {command}, 0)"), "EPERM", command)

    def test_watches_and_attributes_are_refused(self):
        call = "if libc.inotify_init() < 0: raise OSError(ctypes.get_errno(), '')"
        self.assertEqual(self.answer_of(call), "EPERM")
        self.assertEqual(self.answer_of("os.setxattr('.', 'user.kept', b'x')"), "EPERM")
        self.assertEqual(self.answer_of("os.removexattr('.', 'user.kept')"), "EPERM")

    def test_no_socket_is_made_but_a_pair_of_streams(self):
        self.assertEqual(self.answer_of("socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)"), "EPERM")
        self.assertEqual(self.answer_of("a, b = socket.socketpair()\na.bind('\\0name')"), "EPERM")
        self.assertEqual(self.answer_of("a, b = socket.socketpair()\na.sendall(b'x')\nreturn b.recv(1).decode()"), "x")

    def test_contexts_of_asynchronous_io_are_refused(self):
        number = {"x86_64": 206, "aarch64": 0}[os.uname().machine]
        call = f"if libc.syscall(ctypes.c_long({number}), 1000, ctypes.byref(ctypes.c_ulong(0))) < 0: raise OSError(ctypes.get_errno(), '')"
        self.assertEqual(self.answer_of(call), "EPERM")

    def test_disk_is_taken_only_by_files_that_show_it(self):
        self.assertEqual(
            self.answer_of("f = os.open('f', os.O_RDWR | os.O_CREAT)\nos.posix_fallocate(f, 0, 4096)"), "done"
        )
        keep_size = "f = os.open('f', os.O_RDWR | os.O_CREAT)\nif libc.fallocate(f, 1, ctypes.c_long(0), ctypes.c_long(1 << 30)) < 0: raise OSError(ctypes.get_errno(), '')"
        self.assertEqual(self.answer_of(keep_size), "ENOTSUP")

    def test_what_honest_programs_ask_for_in_vain_answers_as_if_it_were_done(self):
        group = "before = os.getpgrp()\nif os.fork() == 0:\n    os.setsid(); os._exit(os.getpgrp() != before)\nreturn str(os.wait()[1])"
        self.assertEqual(self.answer_of(group), "0")
        self.assertEqual(self.answer_of("os.nice(5); os.sched_setaffinity(0, {0}); os.sync()"), "done")
        self.assertEqual(self.answer_of(f"os.setpriority(os.PRIO_PROCESS, {self.runner.pid}, 5)"), "EPERM")
        self.assertEqual(self.answer_of(f"os.sched_setaffinity({self.runner.pid}, {{0}})"), "EPERM")

    def test_ordinary_tools_work(self):
        asked = "import asyncio, subprocess, threading, multiprocessing as m\nasync def child():\n    p = await asyncio.create_subprocess_exec('/bin/cat', stdin=-1, stdout=-1)\n    return (await p.communicate(b'a'))[0].decode()\nt = threading.Thread(target=time.sleep, args=(0,)); t.start(); t.join()\na, b = m.Pipe(); a.send('b')\nc = subprocess.run(['/bin/echo', '-n', 'c'], stdout=-1, timeout=5, start_new_session=True).stdout.decode()\nd = mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE)\nreturn asyncio.run(child()) + b.recv() + c"
        self.assertEqual(self.answer_of(asked), "abc")


class Memory(Case):
    def too_much(self, body: str) -> None:
        lines = "".join(f"    {line}\n" for line in body.splitlines())
        answer = self.runner.execute(
            f"{CALLS}import threading\ndef solve(x):\n{lines}    time.sleep(20)\n    return 2",
            WANTED,
            timeoutSeconds=20,
        )
        self.assertEqual(answer["outcome"], "OutOfMemory", answer)

    def test_what_processes_without_a_first_thread_hold_counts(self):
        self.too_much(
            "def hold():\n    held = b'x' * (90 << 20); time.sleep(60)\nfor _ in range(5):\n    if os.fork() == 0:\n        threading.Thread(target=hold).start()\n        libc.pthread_exit(None)"
        )

    def test_what_waits_in_sockets_counts(self):
        self.too_much(
            "for _ in range(24):\n    if os.fork() == 0:\n        held = [socket.socketpair() for _ in range(110)]\n        for a, b in held:\n            for s in (a, b):\n                s.setblocking(False)\n                try:\n                    while True: s.send(b'x' * 65536)\n                except OSError: pass\n        time.sleep(60)"
        )

    def test_shared_pages_that_no_count_shows_are_refused(self):
        self.assertEqual(self.answer_of("mmap.mmap(-1, 4096)"), "EPERM")
        self.assertEqual(self.answer_of("open('/dev/zero', 'r+b')"), "EACCES")

    def test_dozens_of_threads_fit(self):
        crowd = "import threading\ndef solve(x):\n    go = threading.Event()\n    crowd = [threading.Thread(target=go.wait) for _ in range(60)]\n    for t in crowd: t.start()\n    go.set()\n    for t in crowd: t.join()\n    return 2"
        self.assertEqual(self.runner.execute(crowd, WANTED)["outcome"], "Passed")


class Disk(Case):
    def test_the_judges_directory_is_bounded_as_well(self):
        fill = "import os, time\nsolve(1)\nfor n in range(3):\n    with open(str(n), 'wb') as f: f.write(b'x' * (7 << 20))\ntime.sleep(9)"
        self.assertEqual(self.runner.execute("def solve(x):\n    return 2", fill)["outcome"], "OutputLimit")

    def test_a_volume_that_the_program_closed_is_opened_again(self):
        self.runner.execute(f"import os\ndef solve(x):\n    os.chmod({self.runner.out!r}, 0)\n    return 2", WANTED)


class OwnVolume(unittest.TestCase):
    @unittest.skipUnless(os.getuid() == 0, "only root can make a container")
    def test_files_without_a_name_count_and_closed_directories_are_no_offence(self):
        with LiveRunner(contained=True) as runner:
            nameless = "import os, tempfile, time\ndef solve(x):\n    held = [tempfile.TemporaryFile() for _ in range(4)]\n    for f in held: os.posix_fallocate(f.fileno(), 0, 15 << 20)\n    time.sleep(9)"
            self.assertIn(runner.execute(nameless, WANTED)["outcome"], ("OutputLimit", "Error"))
            closed = (
                "import os, time\ndef solve(x):\n    os.mkdir('d'); os.chmod('d', 0o300); time.sleep(0.3)\n    return 2"
            )
            self.assertEqual(runner.execute(closed, WANTED)["outcome"], "Passed")
            self.assertEqual(os.listdir(f"/proc/{runner.pid}/root{runner.out}"), [])


class Cgroups(unittest.TestCase):
    def test_the_limit_of_either_version_is_found_and_what_can_be_given_back_is_left_out(self):
        for current, limit, prefix in (
            ("memory.current", "memory.max", ""),
            ("memory.usage_in_bytes", "memory.limit_in_bytes", "total_"),
        ):
            stat = f"anon 1\n{prefix}inactive_file 1000\n{prefix}active_file 500\n"
            with self.subTest(limit), usage_at({current: "3000", limit: "5000", "memory.stat": stat}):
                charged = usage.Charged()
                self.assertEqual((charged.limit, charged.bytes()), (5000, 1500))

    def test_without_a_limit_nothing_is_measured(self):
        for limit in ("max", str(1 << 62)):
            with usage_at({"memory.max": limit, "memory.current": "1"}):
                charged = usage.Charged()
                self.assertEqual((charged.limit, charged.bytes()), (None, None))

    def test_the_kernel_tells_of_this_users_socket_buffers(self):
        code = "import socket\nfrom rune_sandbox import usage\nbefore = usage.of_unix_sockets()\na, b = socket.socketpair()\na.send(b'x' * 100_000)\nprint(usage.of_unix_sockets() - before >= 100_000)"
        told = subprocess.run(
            [sys.executable, "-c", code],
            check=False,
            capture_output=True,
            text=True,
            cwd=os.path.dirname(os.path.dirname(__file__)),
        )
        self.assertEqual(told.stdout, "True\n", told.stderr)


@contextmanager
def usage_at(files: dict[str, str]):
    """The cgroup of this process as these files."""
    with tempfile.TemporaryDirectory() as directory:
        for name, content in files.items():
            Path(directory, name).write_text(content, encoding="ascii")
        with mock.patch.object(usage, "_own_cgroups", return_value=[Path("/nowhere"), Path(directory)]):
            yield


if __name__ == "__main__":
    unittest.main()
