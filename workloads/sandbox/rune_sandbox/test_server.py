import socket
import subprocess
import threading
import time
import unittest

from rune_sandbox.harness import LiveRunner

INCREMENT = "def solve(x):\n    return x + 1\n"
TESTS = "assert solve(1) == 2"
CLOCK = "import time\ndef solve(x):\n    print(time.time_ns())\n    time.sleep(0.5)\n    return 2"


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


class Listening(unittest.TestCase):
    @unittest.skipUnless(has_ipv6(), "this machine has no IPv6")
    def test_pods_of_either_family_reach_it(self):
        with LiveRunner(RUNE_RUNNER_HOST="") as runner:
            for address in ("127.0.0.1", "::1"):
                with socket.create_connection((address, runner.port)) as connection:
                    connection.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
                    self.assertIn(b" 200 ", connection.recv(64))


class Asking(unittest.TestCase):
    def setUp(self):
        self.runner = self.enterContext(LiveRunner())

    def test_health_needs_no_token_and_everything_else_does(self):
        self.assertEqual(self.runner.get("/healthz")[0], 200)
        for path in ("/execute", "/probe", "/other"):
            self.assertEqual(self.runner.post(path, {}, token="wrong")[0], 401)
            self.assertEqual(self.runner.post(path, {}, token="")[0], 401)

    def test_unknown_paths_and_broken_bodies_are_refused_with_a_sentence(self):
        self.assertEqual(self.runner.post("/other", {})[0], 404)
        good = self.runner.request(INCREMENT, TESTS)
        changes = [
            {"id": "x"},
            {"id": "../etc/1"},
            {"epoch": -1},
            {"epoch": True},
            {"entryPoint": "a b"},
            {"program": 1},
            {"timeoutSeconds": 121},
            {"timeoutSeconds": float("nan")},
            {"memoryMiB": 1},
            {"outputBytes": -1},
            {"tests": "\ud800"},
        ]
        for body in (b"{", b"[]", b"[" * 100_000, *({**good, **change} for change in changes)):
            status, answer = self.runner.post("/execute", body)
            self.assertEqual((status, answer["reason"]), (400, "BadRequest"), body)
        self.assertEqual(self.runner.post("/execute", good)[1]["outcome"], "Passed")

    def test_a_body_above_four_mebibytes_is_not_read(self):
        with socket.create_connection(("127.0.0.1", self.runner.port)) as connection:
            connection.sendall(
                b"POST /execute HTTP/1.1\r\nAuthorization: Bearer test-token\r\nContent-Length: 4194305\r\n\r\n"
            )
            self.assertIn(b" 413 ", connection.recv(65536))

    def test_the_same_id_is_executed_once_and_answered_alike(self):
        request = self.runner.request(CLOCK, TESTS)
        answers: list = []
        threads = [
            threading.Thread(target=lambda: answers.append(self.runner.post("/execute", request))) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        answers.append(self.runner.post("/execute", request))
        self.assertEqual([status for status, _ in answers], [200] * 5)
        self.assertEqual(len({answer["stdout"] for _, answer in answers}), 1)

    def test_the_same_id_with_another_body_is_refused(self):
        request = self.runner.request(INCREMENT, TESTS)
        self.runner.post("/execute", request)
        status, answer = self.runner.post("/execute", {**request, "program": "x = 1"})
        self.assertEqual((status, answer["reason"]), (409, "IdReused"))

    def test_an_older_epoch_is_refused_even_for_a_stored_result(self):
        old = self.runner.request(INCREMENT, TESTS)
        self.runner.post("/execute", old)
        self.runner.post("/execute", self.runner.request(INCREMENT, TESTS, epoch=3))
        for request in (old, self.runner.request(INCREMENT, TESTS, epoch=2)):
            status, answer = self.runner.post("/execute", request)
            self.assertEqual((status, answer["reason"]), (409, "StaleEpoch"))

    def test_a_newer_agent_gets_what_an_older_one_started(self):
        request = self.runner.request(CLOCK, TESTS)
        first = self.runner.post("/execute", request)[1]
        again = self.runner.post("/execute", {**request, "epoch": 2})[1]
        self.assertEqual(again, first)

    def test_a_connection_can_be_used_again(self):
        import http.client

        connection = http.client.HTTPConnection("127.0.0.1", self.runner.port)
        for _ in range(2):
            connection.request("GET", "/healthz")
            self.assertEqual(connection.getresponse().read(), b'{"status": "ok"}')
        connection.close()


class Bounds(unittest.TestCase):
    def test_a_full_queue_says_when_to_come_back(self):
        with LiveRunner(RUNE_RUNNER_QUEUE="1") as runner:
            statuses: list[int] = []
            slow = [
                runner.request("import time\ndef solve(x):\n    time.sleep(1)\n    return 2", TESTS) for _ in range(4)
            ]
            threads = [
                threading.Thread(target=lambda each=each: statuses.append(runner.post("/execute", each)[0]))
                for each in slow
            ]
            for thread in threads:
                thread.start()
                time.sleep(0.1)
            for thread in threads:
                thread.join()
            self.assertEqual(sorted(statuses), [200, 200, 429, 429])
            self.assertEqual([runner.post("/execute", each)[0] for each in slow], [200] * 4)

    def test_results_of_the_current_epoch_are_never_forgotten(self):
        with LiveRunner(RUNE_RUNNER_STORED_RESULTS="2") as runner:
            requests = [runner.request(INCREMENT, TESTS) for _ in range(3)]
            self.assertEqual([runner.post("/execute", each)[0] for each in requests], [200, 200, 507])
            self.assertEqual([runner.post("/execute", each)[0] for each in requests[:2]], [200, 200])
            self.assertEqual(runner.post("/execute", {**requests[2], "epoch": 2})[0], 200)

    def test_connections_without_a_token_keep_nobody_out(self):
        with LiveRunner(RUNE_RUNNER_QUEUE="1") as runner:
            idle = [socket.create_connection(("127.0.0.1", runner.port)) for _ in range(60)]
            started = time.monotonic()
            self.assertEqual(runner.get("/healthz")[0], 200)
            self.assertEqual(runner.execute(INCREMENT, TESTS)["outcome"], "Passed")
            self.assertLess(time.monotonic() - started, 10)
            for each in idle:
                each.close()

    def test_a_connection_for_which_no_thread_starts_takes_no_room(self):
        failing = "import threading\nstart = threading.Thread.start\ncalls = []\ndef refuse(thread):\n    calls.append(1)\n    if 3 <= len(calls) <= 40: raise RuntimeError('no more threads')\n    start(thread)\nthreading.Thread.start = refuse"
        with LiveRunner(
            start=f'import runpy\n{failing}\nrunpy.run_module("rune_sandbox", run_name="__main__")',
            RUNE_RUNNER_QUEUE="1",
        ) as runner:
            for _ in range(50):
                with socket.create_connection(("127.0.0.1", runner.port)):
                    pass
            self.assertEqual(runner.get("/healthz")[0], 200)

    def test_a_proof_waits_for_the_program_that_runs(self):
        with LiveRunner() as runner:
            slow = threading.Thread(
                target=runner.post,
                args=("/execute", runner.request("import time\ndef solve(x):\n    time.sleep(1)\n    return 2", TESTS)),
            )
            slow.start()
            time.sleep(0.3)
            self.assertTrue(runner.post("/probe", {})[1]["verified"])
            slow.join()

    def test_a_limit_on_tasks_is_kept_clear_of_by_programs(self):
        """Otherwise a program could prevent the runner from starting the thread for the health check."""
        few = "import resource\nresource.setrlimit(resource.RLIMIT_NPROC, (60, 60))"
        with LiveRunner(start=f'import runpy\n{few}\nrunpy.run_module("rune_sandbox", run_name="__main__")') as runner:
            bomb = "import os, time\ndef solve(x):\n    try:\n        while os.fork(): pass\n    except OSError: pass\n    time.sleep(2)\n    return 2"
            running = threading.Thread(
                target=runner.post, args=("/execute", runner.request(bomb, TESTS, timeoutSeconds=3))
            )
            running.start()
            time.sleep(1)
            self.assertEqual([runner.get("/healthz")[0] for _ in range(5)], [200] * 5)
            running.join()


class Proof(unittest.TestCase):
    def failing(self, report: dict) -> list[tuple[str, int]]:
        return [(each["name"], each["layer"]) for each in report["probes"] if each["expected"] != each["observed"]]

    def test_nothing_runs_before_the_proof(self):
        with LiveRunner(verify=False) as runner:
            status, answer = runner.post("/execute", runner.request(INCREMENT, TESTS))
            self.assertEqual((status, answer["reason"]), (412, "IsolationNotVerified"))
            self.assertTrue(runner.post("/probe", {})[1]["verified"])
            self.assertEqual(runner.post("/execute", runner.request(INCREMENT, TESTS))[0], 200)

    def test_a_reachable_target_fails_layer_one_while_layer_two_still_holds(self):
        with (
            LiveRunner() as runner,
            socket.create_server(("127.0.0.1", 0)) as listener,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as dns,
        ):
            dns.bind(("127.0.0.1", 0))
            threading.Thread(target=lambda: dns.sendto(b"answer", dns.recvfrom(512)[1]), daemon=True).start()
            address = f"127.0.0.1:{listener.getsockname()[1]}"
            targets = {
                "canary": address,
                "modelServer": address,
                "node": address,
                "apiServer": address,
                "dns": f"127.0.0.1:{dns.getsockname()[1]}",
            }
            report = runner.post("/probe", {"targets": targets})[1]
            self.assertFalse(report["verified"])
            self.assertEqual(
                self.failing(report),
                [("canary over the network", 1), ("modelServer over the network", 1), ("dns over the network", 1)],
            )
            inside = {
                each["name"]: each["observed"]
                for each in report["probes"]
                if each["layer"] == 2 and "over the network" in each["name"]
            }
            self.assertEqual(set(inside.values()), {"Blocked"})
            self.assertEqual(len(inside), 5)
            self.assertEqual(runner.post("/execute", runner.request(INCREMENT, TESTS))[0], 412)

    def test_unreachable_targets_are_proven_unreachable(self):
        with LiveRunner(verify=False) as runner:
            closed = {"canary": "127.0.0.1:1", "modelServer": "[::1]:1", "dns": "127.0.0.1:1"}
            report = runner.post("/probe", {"targets": closed})[1]
            self.assertEqual((report["verified"], self.failing(report)), (True, []))

    def test_silence_is_a_refusal(self):
        with (
            LiveRunner(verify=False) as runner,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent,
            socket.socket() as full,
        ):
            silent.bind(("127.0.0.1", 0))
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            address = full.getsockname()
            fillers = [socket.socket() for _ in range(3)]
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(address)
            time.sleep(0.1)
            report = runner.post(
                "/probe",
                {"targets": {"canary": f"127.0.0.1:{address[1]}", "dns": f"127.0.0.1:{silent.getsockname()[1]}"}},
            )[1]
            self.assertEqual((report["verified"], self.failing(report)), (True, []))
            for filler in fillers:
                filler.close()

    def test_a_name_proves_nothing(self):
        with LiveRunner(verify=False) as runner:
            report = runner.post("/probe", {"targets": {"canary": "canary.example:80"}})[1]
            self.assertFalse(report["verified"])
            self.assertIn(("canary over the network", 1), self.failing(report))

    def test_without_landlock_nothing_is_verified(self):
        with LiveRunner(verify=False, landlock=False) as runner:
            report = runner.post("/probe", {})[1]
            self.assertEqual((report["verified"], self.failing(report)), (False, [("Landlock", 2)]))

    def test_a_named_substitute_takes_landlocks_place(self):
        with LiveRunner(verify=False, landlock=False, RUNE_SANDBOX_WITHOUT_LANDLOCK="substitute-runtime") as runner:
            report = runner.post("/probe", {})[1]
            self.assertEqual((report["verified"], self.failing(report)), (True, []))
            self.assertIn("Landlock", [each["name"] for each in report["informational"]])
            self.assertEqual(runner.execute(INCREMENT, TESTS)["outcome"], "Passed")
            program = f"import os\ndef solve(x):\n    try: os.kill({runner.pid}, 9)\n    except PermissionError: return open('/proc/{runner.pid}/environ').read()"
            self.assertIn("PermissionError", runner.execute(program, TESTS)["error"])

    def test_the_proof_fits_into_a_status(self):
        with LiveRunner(verify=False) as runner:
            report = runner.post(
                "/probe",
                {"targets": dict.fromkeys(("canary", "dns", "modelServer", "apiServer", "node"), "127.0.0.1:1")},
            )[1]
            self.assertTrue(report["verified"], self.failing(report))
            self.assertLessEqual(len(report["probes"]), 62)
            self.assertLessEqual({each["expected"] for each in report["probes"]}, {"Blocked", "Reached"})
            self.assertLessEqual(max(len(each["name"]) for each in report["probes"]), 100)
            self.assertEqual(
                [(each["name"], each["layer"]) for each in report["informational"]],
                [
                    ("apiServer over the network", 1),
                    ("node over the network", 1),
                    ("change the mode of a file of this user", 2),
                    ("memory that the kernel holds for programs", 2),
                ],
            )


class Start(unittest.TestCase):
    def started(self, **environment) -> subprocess.CompletedProcess:
        return LiveRunner.refused_start(environment)

    def test_a_missing_token_is_told(self):
        self.assertIn("No such file", self.started(RUNE_RUNNER_TOKEN_FILE="/nowhere/token").stderr)

    def test_a_wrong_setting_is_told(self):
        self.assertIn("substitute-runtime", self.started(RUNE_SANDBOX_WITHOUT_LANDLOCK="yes").stderr)


if __name__ == "__main__":
    unittest.main()
