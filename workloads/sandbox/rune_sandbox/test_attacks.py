import os
import shutil
import socket
import time
import unittest

from rune_sandbox.harness import LiveRunner

WANTED = "assert solve(1) == 2"


class Attacks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.runner = cls.enterClassContext(LiveRunner(RUNE_SANDBOX_OUT_MIB="8"))

    def tearDown(self):
        """Whatever was tried: the runner still works, and nothing of the execution is left."""
        self.assertEqual(self.runner.execute("def solve(x):\n    return 2", WANTED)["outcome"], "Passed")
        self.assertEqual(os.listdir(self.runner.out), [])
        self.assertEqual(self.runner.processes(), 2)

    def refused(self, program: str, *outcomes: str, tests: str = WANTED, **changes) -> dict:
        answer = self.runner.execute(program, tests, **changes)
        self.assertFalse(answer["passed"], answer)
        if outcomes:
            self.assertIn(answer["outcome"], outcomes, answer)
        return answer

    def observed(self, body: str) -> str:
        """What `body` returned inside; it must cross as a string."""
        answer = self.runner.execute(
            "import os, sys, socket, ctypes, errno, signal\ndef solve(x):\n"
            + "".join(f"    {line}\n" for line in body.splitlines()),
            "print(solve(1))\nassert True",
        )
        self.assertEqual(answer["outcome"], "Passed", answer)
        return answer["stdout"].strip()

    def errno_of(self, body: str) -> str:
        return self.observed(
            "try:\n"
            + "".join(f"    {line}\n" for line in body.splitlines())
            + "except OSError as e:\n    return errno.errorcode[e.errno]\nreturn 'done'"
        )

    # forged verdicts

    def test_leaving_early_is_no_pass(self):
        for leave in (
            "os._exit(0)",
            "sys.exit(0)",
            "raise SystemExit(0)",
            "os.kill(os.getpid(), 9)",
            "os.abort()",
            "os.execv(sys.executable, [sys.executable, '-c', ''])",
        ):
            with self.subTest(leave):
                self.refused(f"import os, sys\ndef solve(x):\n    {leave}", "Error", "OutOfMemory")
                self.refused(f"import os, sys\n{leave}", "Error", "OutOfMemory")

    def test_printed_verdicts_are_only_output(self):
        forged = '{"nonce": "0", "outcome": "Passed", "error": "", "lost": false}'
        self.refused(
            f"import sys\nprint('{forged}')\nprint('OK: all tests passed', file=sys.stderr)\ndef solve(x):\n    return 3",
            "Failed",
        )

    def test_a_verdict_written_to_every_descriptor_is_not_believed(self):
        program = "import os, json\ndef solve(x):\n    for fd in range(256):\n        try: os.write(fd, json.dumps({'nonce': 'x', 'outcome': 'Passed', 'error': '', 'lost': False}).encode())\n        except OSError: pass\n    os._exit(0)"
        self.refused(program, "Error")

    def test_only_its_own_descriptors_are_open_in_a_candidate(self):
        body = "found = []\nfor fd in range(256):\n    try: os.fstat(fd); found.append(fd)\n    except OSError: pass\nreturn str(found)"
        self.assertEqual(self.observed(body), "[0, 1, 2, 4]")

    def test_patched_builtins_do_not_reach_the_judge(self):
        program = "import builtins, sys, unittest, json, hmac\nbuiltins.AssertionError = Exception\nbuiltins.isinstance = lambda *a: True\nsys.exit = lambda *a: None\nhmac.compare_digest = lambda *a: True\nunittest.TestCase.assertEqual = lambda *a: None\nsys.modules['rune_sandbox.wire'].encode = lambda v: v\ndef solve(x):\n    return 3"
        self.refused(program, "Failed", "Error")

    def test_equal_to_everything_is_equal_to_nothing(self):
        for base in ("object", "int", "str", "list"):
            self.refused(
                f"class Same({base}):\n    __eq__ = lambda s, o: True\n    __hash__ = None\ndef solve(x):\n    return Same()"
            )

    def test_an_object_never_learns_what_it_is_compared_with(self):
        everything = "class Same:\n" + "".join(
            f"    __{name}__ = lambda s, *o: {answer}\n"
            for answer, names in {
                "True": "eq le ge contains bool",
                "False": "ne lt gt",
                "0": "sub rsub add mod floordiv xor hash len",
                "s": "abs neg round iadd and call",
                "[s, s]": "divmod",
            }.items()
            for name in names.split()
        )
        for tests in (
            "assert solve(1) == 2",
            "assert 2 == solve(1)",
            "assert not solve(1) != 2",
            "assert abs(solve(1) - 2) < 1e-9",
            "assert abs(2 - solve(1)) < 1e-9",
            "assert solve(1) >= 2 and solve(1) <= 2",
            "assert 2 in solve(1)",
            "assert solve(1) in [2]",
            "assert [solve(1)] == [2]",
            "assert {'a': solve(1)} == {'a': 2}",
            "assert solve(1) in {2: 1}",
            "import math\nassert math.isclose(solve(1), 2)",
            "import unittest\nclass T(unittest.TestCase):\n    def test_it(self):\n        self.assertEqual(solve(1), 2)",
            "import unittest\nclass T(unittest.TestCase):\n    def test_it(self):\n        self.assertAlmostEqual(solve(1), 2)",
            "import unittest\nclass T(unittest.TestCase):\n    def test_it(self):\n        self.assertCountEqual([solve(1)], [2])",
            "def check(candidate):\n    assert candidate(1) == 2\n    assert isinstance(candidate(1), int)",
        ):
            with self.subTest(tests):
                self.refused(f"{everything}def solve(x):\n    return Same()", "Failed", "Error", tests=tests)
                self.refused(
                    f"{everything}def solve(x):\n    return (Same(), [Same()])[x]", "Failed", "Error", tests=tests
                )
                meta = everything.replace("class Same:", "class Meta(type):") + "    __iter__ = lambda s: iter([s])\n"
                self.refused(
                    f"{meta}class Same(metaclass=Meta): pass\ndef solve(x):\n    return Same",
                    "Failed",
                    "Error",
                    tests=tests,
                )

    def test_an_exception_brings_no_methods_along(self):
        program = "def solve(x):\n    error = ExceptionGroup('x', [ValueError()])\n    error.split = error.derive = lambda *a: (None, None)\n    raise error"
        self.refused(program, "Error", tests="try: solve(1)\nexcept* TypeError: pass\nassert True")

    def test_a_program_reaches_nothing_of_the_tests_through_what_they_pass(self):
        """Public names of what was passed, calls of functions that were passed, and no more."""
        program = """
def solve(node, function, lines):
    found = []
    for owner in (node, function, lines, node.method):
        for name in ("__class__", "__dict__", "__globals__", "__init__", "__self__", "__func__", "__code__", "__builtins__", "gi_frame", "f_globals", "tb_frame"):
            try: value = getattr(owner, name)
            except Exception: continue
            if "needle" in repr(value) or "needle" in repr(getattr(value, "__globals__", "")): found.append(name)
    ask = type(node).__getattr__.__closure__[0].cell_contents if type(node).__getattr__.__closure__ else None
    for name in ("__class__", "__init__", "_secret", "__globals__", "__dict__"):
        for owner in (node, function, lines):
            try: found.append(str(ask("get", owner, name)))
            except Exception: pass
    for special in ("__getattribute__", "__setattr__", "__reduce__", "__init_subclass__"):
        try: found.append(str(ask("special", special, node, "_secret")))
        except Exception: pass
    for target in (type, int, "text", [1], 5):
        try: found.append(str(ask("call", target, "", "x", [], {})))
        except Exception: pass
    for operation in ("eval", "name", "start", None, 3, "import"):
        try: found.append(str(ask(operation, node)))
        except Exception: pass
    try: ask("set", node, "__class__", int); found.append("set")
    except Exception: pass
    return found
"""
        tests = "needle = 'needle'\nclass Node:\n    _secret = 1\n    def __init__(self): self.x = 1\n    def method(self): return 2\nnode = Node()\ngot = solve(node, lambda: needle, (k for k in [1]))\nassert got == [], got\nassert type(node) is Node"
        answer = self.runner.execute(program, tests)
        self.assertEqual(answer["outcome"], "Passed", answer)

    def test_forged_frames_are_errors(self):
        for frame in (
            '{"is":"returned","values":[[101]],"nodes":[[101,"frozenset",[[3]]],[3,"list",[]]]}',
            '{"is":"returned","values":[{"eval":"2"}]}',
            '{"is":"returned","values":[[101]],"nodes":[[101,"tuple",[[101]]]]}',
            '{"is":"returned","values":[[101]],"nodes":[[101,"tuple",[[3]]],[3,"tuple",[[101]]]]}',
            '{"is":"returned","values":[[0]],"nodes":[[0,"list",[2]]]}',
            '{"is":"returned","values":[[101]],"nodes":[[101,"record",["a b","x",1]]]}',
            '{"is":"returned","values":[[101]],"nodes":[[101,"record",["A","x,__class__",1,2]]]}',
            '{"is":"returned","values":[[101]],"nodes":[[101,"object",[103]]]}',
            '{"is":"returned","values":[2,2]}',
            '{"is":"returned"}',
            '{"is":["returned"],"values":[2]}',
            '{"is":"raised","values":[2]}',
            '{"is":"raised","values":[[101]],"nodes":[[101,"error",[{"builtin":"int"},"m",[]]]]}',
            '{"do":"call","values":[{"builtin":"type"},"","X",[],{}]}',
            '{"do":"get","values":[{"builtin":"object"},"__subclasses__"]}',
            '{"drop":[0,1,2],"is":"returned","values":[[0]]}',
            "[]",
            '{"outcome":"Passed"}',
            '{"is":"returned","values":' + "[" * 5000 + "]" * 5000 + "}",
            "junk",
        ):
            with self.subTest(frame[:40]):
                self.refused(
                    f"import os, struct\ndef solve(x):\n    body = {frame!r}.encode()\n    os.write(4, struct.pack('>I', len(body)) + body)\n    os._exit(0)",
                    "Error",
                )

    def test_a_frame_that_announces_gigabytes_is_an_error(self):
        self.refused("import os\ndef solve(x):\n    os.write(4, b'\\xff' * 4)\n    while True: pass", "Error")

    def test_a_test_that_swallows_everything_cannot_be_passed_by_dying(self):
        self.refused(
            "import os\ndef solve(x):\n    os._exit(0)",
            "Error",
            tests="try:\n    solve(1)\nexcept BaseException:\n    pass\nassert True",
        )

    def test_raising_exits_does_not_end_the_tests(self):
        self.refused("def solve(x):\n    raise SystemExit(0)", "Error")
        self.refused("def solve(x):\n    raise KeyboardInterrupt", "Error")

    def test_the_program_finds_neither_tests_nor_nonce(self):
        program = "import gc, os, sys\ndef solve(x):\n    texts = [str(o) for o in gc.get_objects() if isinstance(o, (dict, list, str))] + [repr(vars(m)) for m in list(sys.modules.values()) if m]\n    return any('needle-' + 'in-the-tests' in t or 'non' + 'ce' + \"': '\" in t for t in texts)"
        self.assertEqual(
            self.runner.execute(program, "x = 'needle-in-the-tests'\nassert solve(1) == False")["outcome"], "Passed"
        )

    # other processes

    def test_other_processes_cannot_be_seen_or_touched(self):
        runner = self.runner.pid
        self.assertEqual(self.errno_of("os.listdir('/proc')"), "EACCES")
        for name in ("environ", "mem", "cmdline", "maps", "fd"):
            self.assertEqual(self.errno_of(f"os.open('/proc/{runner}/{name}', os.O_RDONLY)"), "EACCES", name)
        for number in (0, 9, 15, 19):
            self.assertEqual(self.errno_of(f"os.kill({runner}, {number})"), "EPERM")
        self.assertEqual(
            self.errno_of(f"import resource\nresource.prlimit({runner}, resource.RLIMIT_NOFILE, (0, 0))"), "EPERM"
        )
        self.assertEqual(self.errno_of(f"os.setpriority(os.PRIO_PROCESS, {runner}, 19)"), "EPERM")

    def test_the_judge_cannot_be_killed_or_read(self):
        program = "import os\ndef solve(x):\n    hits = []\n    for pid in range(os.getpid() - 40, os.getpid() + 40):\n        if pid in (os.getpid(), 0): continue\n        for what in (lambda: os.kill(pid, 9), lambda: open(f'/proc/{pid}/mem', 'rb'), lambda: os.pidfd_open(pid) and signal.pidfd_send_signal(os.pidfd_open(pid), 9)):\n            try: what(); hits.append(pid)\n            except Exception: pass\n    return hits"
        self.assertEqual(self.runner.execute(program, "assert solve(1) == []")["outcome"], "Passed")

    def test_killing_everything_kills_only_itself(self):
        self.refused("import os\ndef solve(x):\n    os.kill(-1, 9)\n    os.killpg(0, 9)", "Error", "OutOfMemory")

    def test_another_executions_files_cannot_be_read(self):
        bait = os.path.join(self.runner.out, "program-of-another")
        os.mkdir(bait, 0o777)
        with open(os.path.join(bait, "mine"), "w", encoding="ascii") as file:
            file.write("secret")
        try:
            self.assertEqual(self.errno_of(f"open({file.name!r})"), "EACCES")
            self.assertEqual(self.errno_of("os.listdir('..')"), "EACCES")
        finally:
            shutil.rmtree(bait, ignore_errors=True)  # with the runner's user, the runner has already removed it

    def test_children_cannot_outlive_the_execution(self):
        program = "import os, time\ndef solve(x):\n    for _ in range(5):\n        if os.fork() == 0:\n            if os.fork() == 0:\n                try: os.setsid()\n                except OSError: pass\n                time.sleep(60)\n            os._exit(0)\n    return 2"
        started = time.monotonic()
        self.assertEqual(self.runner.execute(program, WANTED)["outcome"], "Passed")
        self.assertLess(time.monotonic() - started, 5)

    # network and kernel

    def test_there_is_no_network(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            self.assertEqual(self.errno_of(f"socket.create_connection(('127.0.0.1', {port}), 2)"), "EPERM")
        for family in ("AF_INET", "AF_INET6", "AF_NETLINK", "AF_PACKET", "AF_VSOCK", "AF_ALG"):
            self.assertEqual(self.errno_of(f"socket.socket(socket.{family}, socket.SOCK_DGRAM)"), "EPERM", family)
        self.assertEqual(self.errno_of("socket.socketpair(socket.AF_INET)"), "EPERM")
        self.assertEqual(self.errno_of("socket.socket(socket.AF_UNIX)"), "EPERM")
        self.assertEqual(self.errno_of("a, b = socket.socketpair()"), "done")

    def test_a_child_has_no_network_either(self):
        body = "import subprocess\nreturn subprocess.run([sys.executable, '-c', 'import socket; socket.socket()'], capture_output=True, text=True).stderr.splitlines()[-1]"
        self.assertIn("PermissionError", self.observed(body))

    @unittest.skipUnless(os.uname().machine == "x86_64", "32-bit calls are an x86 way round a filter")
    def test_a_call_of_another_architecture_kills(self):
        body = "import mmap\ncode = mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE, prot=7)\ncode.write(b'\\xb8\\x14\\x00\\x00\\x00\\xcd\\x80\\xc3')\nctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))()\nreturn 2"
        answer = self.refused(
            "import ctypes\ndef solve(x):\n" + "".join(f"    {line}\n" for line in body.splitlines()), "Error"
        )
        self.assertEqual(answer.get("signal"), "SIGSYS", answer)

    @unittest.skipUnless(os.uname().machine == "x86_64", "x32 is an x86 way round a filter")
    def test_the_x32_table_does_not_exist(self):
        body = "libc = ctypes.CDLL(None, use_errno=True)\nlibc.syscall(ctypes.c_long(0x40000000 + 41), 2, 1, 0)\nreturn errno.errorcode[ctypes.get_errno()]"
        self.assertEqual(self.observed(body), "ENOSYS")

    # files

    def test_files_outside_its_directory_can_be_neither_written_nor_read(self):
        for path in (
            "/escaped",
            "/tmp/escaped",
            "/dev/shm/escaped",
            self.runner.out + "/escaped",
            self.runner.library + "/tessera.py",
        ):
            self.assertEqual(self.errno_of(f"open({path!r}, 'a')"), "EACCES", path)
        for path in (
            self.runner.home + "/token",
            "/etc/passwd",
            "/etc/hostname",
            "/proc/1/environ",
            "/proc/self/status",
        ):
            self.assertEqual(self.errno_of(f"open({path!r})"), "EACCES", path)
        self.assertEqual(self.errno_of("os.symlink('/etc/passwd', 'link'); open('link')"), "EACCES")
        self.assertEqual(
            self.errno_of("open('allowed', 'w').write('x'); os.mkdir('d'); os.rename('allowed', 'd/allowed')"), "done"
        )

    # resources

    def test_an_endless_loop_ends_at_the_deadline(self):
        started = time.monotonic()
        for program in (
            "def solve(x):\n    while True: pass",
            "while True: pass",
            "import signal, time\nfor n in (2, 15, 24): signal.signal(n, signal.SIG_IGN)\ndef solve(x):\n    time.sleep(99)",
        ):
            self.refused(program, "Timeout", timeoutSeconds=1)
        self.assertLess(time.monotonic() - started, 8)

    def test_tests_that_never_end_end_at_the_deadline(self):
        self.refused("def solve(x):\n    return 2", "Timeout", tests="solve(1)\nwhile True: pass", timeoutSeconds=1)

    def test_a_fork_bomb_ends(self):
        self.refused(
            "import os\ndef solve(x):\n    while True:\n        try: os.fork()\n        except OSError: pass",
            "Timeout",
            "OutOfMemory",
            "Error",
            timeoutSeconds=3,
        )

    def test_a_thread_bomb_ends(self):
        self.refused(
            "import threading, time\ndef solve(x):\n    while True:\n        threading.Thread(target=time.sleep, args=(99,)).start()",
            "Timeout",
            "OutOfMemory",
            "Error",
            timeoutSeconds=3,
        )

    def test_a_memory_hog_is_out_of_memory(self):
        self.refused("def solve(x):\n    held = []\n    while True: held.append(bytearray(1 << 20))", "OutOfMemory")

    def test_a_hog_in_many_processes_is_out_of_memory(self):
        program = "import os, time\ndef solve(x):\n    for _ in range(8):\n        if os.fork() == 0:\n            held = b'x' * (100 << 20)\n            time.sleep(60)\n    time.sleep(60)"
        self.refused(program, "OutOfMemory", timeoutSeconds=20)

    def test_tests_that_take_all_memory_are_out_of_memory(self):
        program = "def solve(x):\n    return 2"
        for hog in (
            "held = bytearray(1 << 40)",
            "held = []\nwhile True: held.append(bytearray(1 << 20))",
            "held = []\nwhile True: held.append('x' * 100 + str(len(held)))",
        ):
            with self.subTest(hog):
                self.refused(program, "OutOfMemory", tests=f"solve(1)\n{hog}", memoryMiB=128, timeoutSeconds=20)

    def test_what_can_not_even_tell_of_its_memory_error_is_out_of_memory(self):
        flush = "import sys\nclass Full:\n    def flush(self): raise MemoryError\n    write = flush\nsys.__stdout__ = Full()"
        self.refused("def solve(x):\n    return 2", "OutOfMemory", tests=f"assert solve(1) == 2\n{flush}")
        describe = "class Full(Exception):\n    @property\n    def args(self): raise MemoryError\ndef solve(x):\n    raise Full"
        self.refused(describe, "OutOfMemory")

    def test_tests_that_take_all_memory_in_many_processes_are_out_of_memory(self):
        tests = "import os, time\nsolve(1)\nfor _ in range(8):\n    if os.fork() == 0:\n        held = b'x' * (24 << 20)\n        time.sleep(60)\ntime.sleep(60)"
        answer = self.refused(
            "def solve(x):\n    return 2", "OutOfMemory", tests=tests, memoryMiB=128, timeoutSeconds=20
        )
        self.assertEqual(answer["error"], "the tests' processes used more than 64 MiB together")

    def test_tests_may_use_half_of_what_the_program_may(self):
        answer = self.runner.execute(
            "def solve(x):\n    return 2", f"held = bytearray(96 << 20)\n{WANTED}", memoryMiB=256
        )
        self.assertEqual(answer["outcome"], "Passed")

    def test_output_beyond_the_limit_is_cut_off_and_the_program_goes_on(self):
        before = self.runner.resident()
        answer = self.runner.execute(
            "import os\ndef solve(x):\n    for _ in range(100): os.write(1, b'x' * (1 << 20))\n    return 2", WANTED
        )
        self.assertEqual(
            (answer["outcome"], len(answer["stdout"]), answer["stdout"][-11:]), ("Passed", 65536, "x\n[cut off]")
        )
        self.assertLess(self.runner.resident() - before, 20 << 20)

    def test_output_within_the_limit_is_kept_whole(self):
        answer = self.runner.execute("def solve(x):\n    print('y' * 999)\n    return 2", WANTED, outputBytes=1000)
        self.assertEqual((answer["outcome"], len(answer["stdout"])), ("Passed", 1000))

    def test_a_file_filler_is_cut_off(self):
        self.refused(
            "def solve(x):\n    with open('big', 'wb') as f:\n        while True: f.write(b'x' * (1 << 20))",
            "Error",
            "OutputLimit",
        )
        self.refused(
            "def solve(x):\n    n = 0\n    while True:\n        n += 1\n        with open(f'f{n}', 'wb') as f: f.write(b'x' * 65536)",
            "OutputLimit",
        )

    def test_a_directory_filler_is_cut_off_and_cleaned_up(self):
        self.refused(
            "import os\ndef solve(x):\n    while True:\n        os.mkdir('d'); os.chdir('d')",
            "OutputLimit",
            timeoutSeconds=20,
        )

    def test_directories_closed_to_the_runner_are_cleaned_up(self):
        self.runner.execute(
            "import os\ndef solve(x):\n    os.makedirs('a/b'); open('a/b/c', 'w').close(); os.chmod('a/b', 0); os.chmod('a', 0)\n    return 2",
            WANTED,
        )
        self.runner.execute(
            "import os\ndef solve(x):\n    open('c', 'w').close(); os.chmod('.', 0)\n    return 2", WANTED
        )

    def test_a_huge_value_does_not_fill_the_judge(self):
        answer = self.refused("def solve(x):\n    return 'x' * (50 << 20)", "OutputLimit")
        self.assertRegex(answer["error"], r"solve\(1\) returned 524288\d\d bytes; at most 16777216 can cross at once")
        self.refused("def solve(x):\n    return 1 << 16_000_000", "Failed", "Error", timeoutSeconds=20)


if __name__ == "__main__":
    unittest.main()
