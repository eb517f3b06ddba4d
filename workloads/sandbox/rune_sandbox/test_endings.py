import os
import signal
import threading
import time
import unittest

from rune_sandbox.harness import LiveRunner
from rune_sandbox.processes import Group, end_strangers, signal_name, stat_fields

RIGHT, WRONG, TESTS = "def solve(x):\n    return x + 1", "def solve(x):\n    return x - 1", "assert solve(1) == 2"
OUTCOMES = {"Passed", "Failed", "Error", "OutOfMemory", "OutputLimit", "Timeout", "NoTests"}
STOPS = {signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU}
LEAVE_A_CHILD = "import os, signal, time\nif os.fork() == 0:\n    time.sleep(60)\n"


def in_a_child(body) -> int:
    """Exit code of `body` in a separate process."""
    child = os.fork()
    if child == 0:
        try:
            os._exit(body() or 0)
        finally:
            os._exit(99)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


class Groups(unittest.TestCase):
    def test_every_signal_has_a_name(self):
        self.assertEqual(len({signal_name(number) for number in range(1, 65)}), 64)
        self.assertEqual((signal_name(9), signal_name(33)), ("SIGKILL", "signal 33"))

    def test_a_leader_that_has_no_session_yet_is_ended(self):
        child = os.fork()
        if child == 0:
            time.sleep(60)
        self.assertEqual(Group(child).kill().signal, "SIGKILL")
        self.assertIsNone(stat_fields(str(child)))

    def test_strangers_are_found_and_ended_wherever_they_went(self):
        def body() -> int:
            from rune_sandbox.lock import adopt_orphans

            adopt_orphans()
            kept = os.fork()
            if kept == 0:
                time.sleep(60)
            if (between := os.fork()) == 0:
                for _ in range(20):
                    if os.fork() == 0:
                        os.setsid()
                        time.sleep(60)
                os._exit(0)
            os.waitpid(between, 0)
            end_strangers({kept})
            fields = stat_fields(str(kept))
            assert fields
            alive = fields[0]
            os.kill(kept, signal.SIGKILL)
            os.waitpid(kept, 0)
            try:
                os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return 0 if alive in "SR" else 2
            return 1

        self.assertEqual(in_a_child(body), 0)


class Endings(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.runner = cls.enterClassContext(LiveRunner())

    def over(self, program: str, tests: str, **changes) -> dict:
        """Whatever it did: there is a verdict, and nothing of it is left."""
        answer = self.runner.execute(program, tests, **changes)
        self.assertIn(answer["outcome"], OUTCOMES)
        self.assertEqual((self.runner.processes(), os.listdir(self.runner.out)), (2, []), answer)
        return answer

    def tearDown(self):
        self.assertEqual(self.runner.execute(RIGHT, TESTS)["outcome"], "Passed")
        self.assertEqual(self.runner.execute(WRONG, TESTS)["outcome"], "Failed")

    def test_a_program_may_end_by_any_signal(self):
        for number in range(1, 65):
            with self.subTest(number):
                end = f"{LEAVE_A_CHILD}def solve(x):\n    os.kill(os.getpid(), {number})\n    return 3"
                answer = self.over(end, TESTS, timeoutSeconds=0.5 if number in STOPS else 10)
                self.assertFalse(answer["passed"])

    def test_tests_may_end_by_any_signal(self):
        for number in range(1, 65):
            with self.subTest(number):
                end = f"{LEAVE_A_CHILD}assert solve(1) == 2\nos.kill(os.getpid(), {number})\nassert False"
                self.assertFalse(self.over(RIGHT, end, timeoutSeconds=0.5 if number in STOPS else 10)["passed"])

    def test_a_program_may_end_with_any_exit_code(self):
        for code in range(256):
            with self.subTest(code):
                self.assertFalse(self.over(f"{LEAVE_A_CHILD}def solve(x):\n    os._exit({code})", TESTS)["passed"])

    def test_tests_may_end_with_any_exit_code(self):
        """Including 70 and 71, which have a meaning when the sandbox itself returns them."""
        for code in (0, 1, 2, *range(64, 80), 126, 127, 128, 137, 255):
            with self.subTest(code):
                self.assertFalse(self.over(RIGHT, f"{LEAVE_A_CHILD}solve(1)\nos._exit({code})")["passed"])

    def test_a_nursery_that_is_gone_is_replaced(self):
        os.kill(self.runner.nursery(), signal.SIGKILL)
        self.over(RIGHT, TESTS)

    def test_the_clock_starts_when_both_are_locked(self):
        nursery = self.runner.nursery()
        os.kill(nursery, signal.SIGSTOP)
        threading.Timer(1.5, os.kill, (nursery, signal.SIGCONT)).start()
        answer = self.over(RIGHT, TESTS, timeoutSeconds=1)
        self.assertEqual(answer["outcome"], "Passed")
        self.assertLess(answer["durationSeconds"], 1)


class FailingClosed(unittest.TestCase):
    def ended(self, patch: str) -> tuple[int, dict, int]:
        """Status, answer and exit code of a runner that meets something unforeseen."""
        start = f'import runpy\nfrom rune_sandbox import processes, scratch, workspace\n{patch}\nrunpy.run_module("rune_sandbox", run_name="__main__")'
        with LiveRunner(start=start) as runner:
            status, answer = runner.post("/execute", runner.request(RIGHT, TESTS))
            return status, answer, runner.exit_code()

    def test_a_runner_that_can_not_end_a_process_ends(self):
        late = "def refuse(known, calls=[]):\n    calls.append(1)\n    if len(calls) > 1: raise processes.Unending('one is left')\nworkspace.end_strangers = refuse"
        status, answer, code = self.ended(late)
        self.assertEqual((status, answer["reason"], code), (500, "Internal", 70))

    def test_a_runner_that_can_not_clean_up_ends(self):
        late = "def refuse(name, parent, calls=[], remove=scratch.remove):\n    calls.append(1)\n    if len(calls) > 2: raise OSError('not empty')\n    remove(name, parent)\nscratch.remove = refuse"
        status, _, code = self.ended(late)
        self.assertEqual((status, code), (500, 70))

    def test_without_a_nursery_nothing_is_stored(self):
        late = "from rune_sandbox import nursery\nborn = nursery.Nursery._born\ncalls = []\ndef refuse(*given):\n    calls.append(1)\n    if 2 <= len(calls) <= 3: raise OSError('no fork')\n    return born(*given)\nnursery.Nursery._born = refuse"
        start = f'import runpy\n{late}\nrunpy.run_module("rune_sandbox", run_name="__main__")'
        with LiveRunner(start=start) as runner:
            request = runner.request(RIGHT, TESTS)
            status, answer = runner.post("/execute", request)
            self.assertEqual((status, answer["reason"]), (503, "SandboxUnavailable"))
            self.assertEqual(runner.post("/execute", request)[1]["outcome"], "Passed")


class WithoutLandlock(unittest.TestCase):
    """If a substitute runtime replaces Landlock, this kernel's /proc is open to programs:
    the order protects the verdict.
    """

    @classmethod
    def setUpClass(cls):
        cls.runner = cls.enterClassContext(
            LiveRunner(landlock=False, RUNE_SANDBOX_WITHOUT_LANDLOCK="substitute-runtime")
        )

    def test_the_tests_can_not_be_read_while_the_judge_starts(self):
        look = (
            "import glob, os\nfound = []\nfor _ in range(300):\n    for pid in range(os.getpid() - 4, os.getpid() + 5):\n"
            "        if pid == os.getpid(): continue\n        for name in ('environ', 'fd/3', 'fd/4', 'fd/5', 'mem'):\n"
            "            try:\n                with open(f'/proc/{pid}/{name}', 'rb') as file: found.append(file.read(100))\n"
            "            except OSError: pass\ndef solve(x):\n    return len(found)"
        )
        for _ in range(20):
            answer = self.runner.execute(look, "assert solve(1) == 0")
            self.assertEqual(answer["outcome"], "Passed", answer)

    def test_nothing_of_one_execution_is_there_for_the_next(self):
        path = os.path.join(self.runner.out, "left")
        self.runner.execute(f"def solve(x):\n    open({path!r}, 'w').close()\n    return 2", TESTS)
        self.assertEqual(os.listdir(self.runner.out), [])


@unittest.skipUnless(os.getuid() == 0, "only root can make a container")
class InAContainer(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.runner = cls.enterClassContext(LiveRunner(contained=True))

    def judged(self, program: str, tests: str = TESTS) -> str:
        return self.runner.execute(program, tests)["outcome"]

    def test_programs_may_use_shared_memory_and_semaphores(self):
        pool = "import multiprocessing as m\ndef solve(x):\n    with m.get_context('fork').Pool(2) as pool: return sum(pool.map(abs, [-1, x]))"
        self.assertEqual(self.judged(pool), "Passed")

    def test_nothing_of_it_is_there_for_the_next_program_or_for_the_tests(self):
        keep = "import os\ndef solve(x):\n    os.close(os.open('/dev/shm/kept', os.O_CREAT | os.O_WRONLY)); return 2"
        self.assertEqual(self.judged(keep), "Passed")
        self.assertEqual(
            self.judged("import os\ndef solve(x):\n    return os.listdir('/dev/shm')", "assert solve(1) == []"),
            "Passed",
        )
        self.assertEqual(self.judged(RIGHT, "assert solve(1) == 2\nopen('/dev/shm/mine', 'w')"), "Error")

    def test_more_of_it_than_of_files_is_too_much(self):
        hog = "import time\ndef solve(x):\n    for n in range(16):\n        with open(f'/dev/shm/{n}', 'wb') as f: f.write(b'x' * 1020000)\n    time.sleep(9)"
        with LiveRunner(contained=True, RUNE_SANDBOX_OUT_MIB="8") as runner:
            self.assertEqual(runner.execute(hog, TESTS)["outcome"], "OutputLimit")


if __name__ == "__main__":
    unittest.main()
