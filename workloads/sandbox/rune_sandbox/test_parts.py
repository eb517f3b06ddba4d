import os
import re
import resource
import socket
import tempfile
import threading
import unittest
from contextlib import ExitStack, contextmanager
from unittest import mock

from rune_sandbox import lock, probe, probe_inside, scratch, seccomp
from rune_sandbox.pipe import Pipe
from rune_sandbox.requests import Execution
from rune_sandbox.results import Full, Results
from rune_sandbox.server import Connections

HEADERS = {0: "/usr/include/x86_64-linux-gnu/asm/unistd_64.h", 1: "/usr/include/asm-generic/unistd.h"}


class Numbers(unittest.TestCase):
    def test_system_call_numbers_are_the_kernels(self):
        tables = seccomp.ALLOWED | seccomp.RULED | probe_inside.FORBIDDEN
        for column, header in HEADERS.items():
            with open(header, encoding="utf-8") as file:
                known = {
                    name: int(number)
                    for name, number in re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", file.read())
                }
            if "fstatat" in known:
                known.setdefault("newfstatat", known["fstatat"])  # two names of one call
            self.assertEqual(
                {name: numbers[column] for name, numbers in tables.items()}, {name: known.get(name) for name in tables}
            )

    def test_nothing_is_named_twice(self):
        self.assertEqual(set(seccomp.ALLOWED) & set(seccomp.RULED), set())
        self.assertEqual(set(seccomp.ALLOWED) & set(probe_inside.FORBIDDEN), set())

    def test_the_filter_fits_and_every_jump_stays_inside_on_both_architectures(self):
        for version in (0, 1, 3, 6, 7):
            for machine in seccomp.ARCHITECTURES:
                with (
                    self.subTest(version=version, machine=machine),
                    mock.patch("os.uname", return_value=mock.Mock(machine=machine)),
                ):
                    rules = seccomp.program(version)
                    self.assertLess(len(rules), 4096)
                    for at, (_, if_true, if_false, _) in enumerate(rules):
                        self.assertLess(at + 1 + max(if_true, if_false), len(rules) + 1)
                        self.assertLess(max(if_true, if_false), 256)


def lock_of(landlock: bool) -> lock.Lock:
    return lock.Lock("/out", [], "/lib", 1 << 28, 5, 1 << 20, 64, 256, landlock)


class Runtimes(unittest.TestCase):
    """What takes Landlock's place isn't Linux: gVisor limits neither message queues nor pending signals."""

    def refuse(self, *limits: int) -> None:
        def set_limit(limit: int, _: tuple[int, int]) -> None:
            if limit in limits:
                raise ValueError("not allowed to raise maximum limit")

        self.enterContext(mock.patch("resource.setrlimit", set_limit))

    def test_a_substitute_of_landlock_may_refuse_limits_of_linux_and_no_others(self):
        self.refuse(resource.RLIMIT_MSGQUEUE, resource.RLIMIT_SIGPENDING)
        lock.restrain(lock_of(landlock=False))
        with self.assertRaises(ValueError):
            lock.restrain(lock_of(landlock=True))
        self.refuse(resource.RLIMIT_AS)
        with self.assertRaises(ValueError):
            lock.restrain(lock_of(landlock=False))

    def test_a_limit_that_is_required_must_be_in_force(self):
        most = lock.limits(lock_of(landlock=True))
        for name, found in (("RLIMIT_MSGQUEUE", {True}), ("RLIMIT_AS", {True, False})):
            raised = {getattr(resource, each): (value, value) for each, value in most.items()}
            raised[getattr(resource, name)] = (most[name] + 1, most[name] + 1)
            with mock.patch("resource.getrlimit", raised.__getitem__):
                loose = {landlock for landlock in (True, False) if probe_inside._loose(lock_of(landlock))}
            self.assertEqual(loose, found, name)

    def test_no_bomb_is_tried_there_but_only_whether_processes_are_counted(self):
        self.refuse()
        fork = self.enterContext(mock.patch("os.fork", return_value=1))
        self.enterContext(mock.patch("os.waitpid"))
        for refusal, observed in ((None, "Reached"), (BlockingIOError(), "Blocked"), (OSError(), "Error")):
            fork.side_effect = refusal
            attempt = probe_inside._fork_bomb(lock_of(landlock=False))
            self.assertEqual((attempt.observed, attempt.holds), (observed, True))
        self.assertEqual(fork.call_count, 3)


class Directories(unittest.TestCase):
    def setUp(self):
        self.parent = self.enterContext(tempfile.TemporaryDirectory())
        self.descriptor = os.open(self.parent, os.O_RDONLY)
        self.addCleanup(os.close, self.descriptor)
        self.top = os.path.join(self.parent, "top")
        os.mkdir(self.top)

    def exceeds(self, most_bytes: int, closed_count: bool = True) -> bool:
        top = os.open(self.top, os.O_RDONLY)
        try:
            return scratch.exceeds(top, most_bytes, closed_count)
        finally:
            os.close(top)

    def test_a_tree_deeper_than_any_path_is_removed(self):
        here = os.open(self.top, os.O_RDONLY)
        for _ in range(3000):
            os.mkdir("deep", dir_fd=here)
            inner = os.open("deep", os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = inner
        os.close(here)
        self.assertTrue(self.exceeds(1 << 30))
        scratch.remove("top", self.descriptor)
        self.assertEqual(os.listdir(self.parent), [])

    def test_links_are_removed_and_never_followed(self):
        kept = os.path.join(self.parent, "kept")
        os.makedirs(os.path.join(self.top, "a"))
        os.mkdir(kept)
        open(os.path.join(kept, "file"), "w").close()
        os.symlink(kept, os.path.join(self.top, "a", "link"))
        os.symlink(kept, os.path.join(self.top, "moved-0"))
        self.assertFalse(self.exceeds(1 << 20))
        scratch.remove("top", self.descriptor)
        self.assertEqual((os.listdir(self.parent), os.listdir(kept)), (["kept"], ["file"]))

    def test_a_directory_that_is_a_link_is_not_removed_through_it(self):
        os.symlink(self.top, os.path.join(self.parent, "link"))
        with self.assertRaises(OSError):
            scratch.remove("link", self.descriptor)
        self.assertTrue(os.path.isdir(self.top))

    def test_too_many_files_and_too_many_bytes_are_too_much(self):
        with open(os.path.join(self.top, "file"), "wb") as file:
            file.write(b"x" * 10_000)
        self.assertFalse(self.exceeds(1 << 20))
        self.assertTrue(self.exceeds(4096))

    def test_only_a_tmpfs_of_its_own_is_counted_as_a_whole(self):
        self.assertFalse(scratch.Volume(self.top).of_its_own)
        self.assertTrue(scratch.is_tmpfs("/dev/shm"))
        self.assertFalse(scratch.is_tmpfs("/dev/shm/.."))


class Outputs(unittest.TestCase):
    def pipe(self, written: bytes, limit: int) -> Pipe:
        stack = self.enterContext(ExitStack())
        pipe = Pipe(stack, limit)
        os.write(pipe.writing, written)
        os.close(pipe.writing)
        while not pipe.ended:
            pipe.read()
        return pipe

    def test_within_the_limit_all_is_kept_and_beyond_it_a_mark_says_so(self):
        self.assertEqual(self.pipe(b"x" * 100, 100).text(), "x" * 100)
        self.assertEqual(self.pipe(b"x" * 101, 100).text(), "x" * 90 + "\n[cut off]")
        self.assertEqual(self.pipe(b"x" * 101, 5).text(), "xxxxx")
        self.assertEqual(self.pipe(b"x", 0).text(), "")

    def test_the_second_stream_gets_what_the_first_leaves(self):
        self.assertEqual(self.pipe(b"y" * 60, 100).text(40), "y" * 30 + "\n[cut off]")
        self.assertEqual(self.pipe(b"y" * 60, 100).text(-1), "")


class Stored(unittest.TestCase):
    def asked(self, number: int, epoch: int = 1) -> Execution:
        return Execution(f"u/{number}", epoch, "f", "", "", 1.0, 1, 1, f"digest {number}")

    def result(self, output: str = "") -> dict:
        return {"outcome": "Passed", "error": "é" * 2000, "stdout": output, "stderr": output}

    def test_a_flood_of_output_takes_no_room_from_verdicts(self):
        results = Results(count=500, size=100_000)
        for number in range(500):
            first = results.once(self.asked(number), lambda: self.result("\ufffd" * 65_536))
            self.assertEqual(len(first["stdout"]), 65_536)
        kept = [results.once(self.asked(number), self.fail) for number in range(500)]
        self.assertEqual({each["outcome"] for each in kept}, {"Passed"})
        self.assertLessEqual(sum(len((each["stdout"] + each["stderr"]).encode()) for each in kept), 100_000)
        self.assertEqual(len(kept[-1]["stdout"].encode()), 4095)
        self.assertLessEqual(max(len(each["error"].encode()) for each in kept), 1024)
        with self.assertRaises(Full):
            results.once(self.asked(500), self.result)

    def test_earlier_epochs_make_room_the_oldest_first(self):
        results = Results(count=2, size=1000)
        for number in range(2):
            results.once(self.asked(number), self.result)
        results.once(self.asked(2, epoch=2), self.result)
        self.assertEqual(results.once(self.asked(1, epoch=2), self.fail)["outcome"], "Passed")

    def test_what_failed_is_asked_for_again(self):
        results = Results(count=1, size=1000)
        with self.assertRaises(ValueError):
            results.once(self.asked(0), lambda: {"outcome": int("x")})
        self.assertEqual(results.once(self.asked(0), self.result)["outcome"], "Passed")


class Waiting(unittest.TestCase):
    def test_the_connection_that_has_waited_longest_makes_room(self):
        pairs = [self.enterContext(pair) for pair in (closing_pair() for _ in range(4))]
        connections = Connections(2)
        self.assertTrue(connections.admit(pairs[0][0]))
        self.assertTrue(connections.admit(pairs[1][0]))
        connections.works(pairs[0][0])
        self.assertTrue(connections.admit(pairs[2][0]))
        self.assertEqual(pairs[1][1].recv(1), b"")
        with self.assertRaises(ConnectionAbortedError):
            connections.works(pairs[1][0])
        connections.works(pairs[2][0])
        self.assertFalse(connections.admit(pairs[3][0]))
        connections.ended(pairs[2][0])
        self.assertTrue(connections.admit(pairs[3][0]))


@contextmanager
def closing_pair():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


class AskingTheNetwork(unittest.TestCase):
    def test_no_target_waits_for_the_silence_of_another(self):
        targets = dict.fromkeys(("canary", "dns", "modelServer", "apiServer", "node"), ("127.0.0.1", 1))
        together = threading.Barrier(len(targets))

        def refused(*_address):
            together.wait(10)
            raise TimeoutError("no answer")

        workspace = mock.Mock()
        workspace.charged.limit = 0
        with (
            mock.patch.object(probe, "_connect", refused),
            mock.patch.object(probe, "_ask_dns", refused),
            mock.patch.object(probe, "_layer_two", return_value=[]),
        ):
            report = probe.prove(targets, workspace)
        self.assertTrue(report["verified"], report)
        self.assertEqual({each["observed"] for each in report["probes"]}, {"Blocked"})

    def test_a_connection_whose_first_packet_is_lost_is_still_found(self):
        """The kernel sends a lost one again after a second, when the probe is over."""
        with socket.create_server(("127.0.0.1", 0), backlog=0) as listener, ExitStack() as stack:
            for _ in range(3):
                filler = stack.enter_context(socket.socket())
                filler.setblocking(False)
                filler.connect_ex(listener.getsockname())
            taking = threading.Timer(0.4, lambda: [listener.accept()[0].close() for _ in range(2)])
            taking.start()
            self.assertIn("connected to", probe._connect(*listener.getsockname()))
            taking.join()

    def test_a_name_server_that_only_refuses_what_asks_nothing_is_reached(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
            server.bind(("127.0.0.1", 0))

            def serve():
                while True:
                    question, asking = server.recvfrom(512)
                    if question[4:6] == bytes(2):
                        server.sendto(b"refused", asking)
                        return

            serving = threading.Thread(target=serve)
            serving.start()
            self.assertEqual(probe._ask_dns(*server.getsockname()), "answered with 7 bytes")
            serving.join()


if __name__ == "__main__":
    unittest.main()
