"""What the cluster's test-bed does to a sandbox, tried on one without any layer, on loopback."""

import contextlib
import io
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import unittest.mock
from pathlib import Path
from typing import Any

from adversary import catalogue, checks, expectations, layers
from adversary.enclosure import as_user, interpreter

HERE = Path(__file__).parent
_SCRATCH_UID = 64_090
PROGRAMS = {program.name: program for program in catalogue.read_all()}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class AttacksTest(unittest.TestCase):
    def test_every_attack_is_a_program_whose_success_can_be_observed_in_a_cluster(self):
        for attack in layers.ATTACKS:
            with self.subTest(attack.program):
                names = {name for name, *_ in PROGRAMS[attack.program].checks}
                self.assertTrue(names & set(layers.OBSERVABLE))
                self.assertEqual(PROGRAMS[attack.program].kind, "program")

    def test_what_only_landlock_stops_is_not_expected_to_be_stopped_without_it(self):
        for attack in layers.ATTACKS:
            if attack.landlock and "nolandlock" in PROGRAMS[attack.program].variants:
                self.assertIsNotNone(expectations.reason(attack.program, "nolandlock"), attack.program)
        self.assertLessEqual(layers._BY_LANDLOCK, {attack.program for attack in layers.ATTACKS})

    def test_every_threat_has_an_attack_in_the_short_form(self):
        short = {attack.threat for attack in layers.ATTACKS if PROGRAMS[attack.program].short}
        self.assertLessEqual(
            {attack.threat for attack in layers.ATTACKS} - short, {"secrets of the process that runs it"}
        )

    def test_what_is_aimed_elsewhere_names_the_loopback_and_no_other_address(self):
        for attack in layers.ATTACKS:
            for text in PROGRAMS[attack.program].executions:
                aimed = layers.filled(text, {}, "CANARY", {"first": "f", "needle": "n"})
                self.assertNotRegex(aimed, r"\b\d+\.\d+\.\d+\.\d+\b", attack.program)
                if attack.elsewhere:
                    self.assertIn("CANARY", aimed)

    def test_only_what_is_seen_counts_whatever_a_program_prints(self):
        program = PROGRAMS["n02_inet_udp"]
        before = {"events": [["tcp", "00"]], "state": {}}
        answers = [{"stdout": "reached udp", "passed": True, "_status": 200}]
        self.assertEqual(layers.successes(program, answers, before, before, {}), [])
        after = {"events": [["tcp", "00"], ["udp", "6e"]], "state": {}}
        self.assertRegex(layers.successes(program, answers, before, after, {})[0], "canaries were reached.*udp")

    def test_a_change_of_the_neighbours_files_is_seen(self):
        before = {"events": [], "state": {"/bait/one": "a", "/bait/two": "b"}}
        after = {"events": [], "state": {"/bait/one": "a", "/bait/new": "c"}}
        found = layers.successes(PROGRAMS["f01_write_outside"], [{}], before, after, {})
        self.assertEqual(found, ["changed outside: ['/bait/new', '/bait/two']"])


class WithoutLayersTest(unittest.TestCase):
    """Processes as in the test-bed's pod, on 127.0.0.1, of a user that owns nothing. Only of programs that leave no trace on this machine."""

    def setUp(self) -> None:
        self.home = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.secret = secrets.token_hex(8)
        self.observer, self.runner = free_port(), free_port()
        shutil.copytree(HERE, self.home / "adversary", ignore=shutil.ignore_patterns("programs", "starts", "test_*"))
        (self.home / "out").mkdir()
        self.home.chmod(0o777)
        (self.home / "out").chmod(0o777)
        self.start(
            "neighbour", ADVERSARY_DIRECTORY=str(self.home), ADVERSARY_HOST="127.0.0.1", ADVERSARY_PORT=self.observer
        )
        self.start(
            "plain_server",
            RUNE_RUNNER_PORT=self.runner,
            RUNE_SANDBOX_OUT=str(self.home / "out"),
            RUNE_ADVERSARY_SECRET=self.secret,
        )

    def start(self, module: str, **environment: Any) -> None:
        python = [*as_user(_SCRATCH_UID), interpreter(_SCRATCH_UID)] if os.getuid() == 0 else [sys.executable]
        process = subprocess.Popen(
            [*python, "-B", "-m", f"adversary.{module}"],
            cwd=self.home,
            env={"PATH": os.environ["PATH"], **{name: str(value) for name, value in environment.items()}},
        )
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)

    def tried(self, *attacks: layers.Attack) -> dict[str, dict[str, str]]:
        self.wait_for(self.observer)
        self.wait_for(self.runner)
        told = {
            "name": "neither", "locked": False, "runner": f"127.0.0.1:{self.runner}", "token": "token of nobody",
            "secret": self.secret, "neighbour": f"127.0.0.1:{self.observer}",
        }  # fmt: skip
        testbed, result = self.home / "testbed.json", self.home / "result.json"
        canary = {"observer": f"127.0.0.1:{self.observer}", "host": "127.0.0.1"}
        testbed.write_text(json.dumps({"sandboxes": [told], "canary": canary, "short": False}))
        with unittest.mock.patch.object(layers, "ATTACKS", attacks), contextlib.redirect_stdout(io.StringIO()):
            layers.main(str(testbed), str(result))
        rows = json.loads(result.read_text())["attacks"]
        return {row["program"]: row["found"]["neither"] for row in rows}

    def wait_for(self, port: int) -> None:
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return
            time.sleep(0.1)
        self.fail(f"nobody listens on {port}")

    def test_attacks_get_through_where_nothing_stops_them(self):
        names = "n02_inet_udp n13_unix_path_stream n23_fifo_outside"
        found = self.tried(*(layers.Attack("t", name) for name in names.split()))
        self.assertEqual({name: each["word"] for name, each in found.items()}, dict.fromkeys(names.split(), "through"))

    def test_a_sandbox_that_does_not_answer_is_neither_stopped_nor_through(self):
        attack = layers.Attack("t", "n02_inet_udp")
        sandbox = layers.Sandbox(
            "gone",
            False,
            layers.Caller("127.0.0.1", free_port(), "t"),
            "s",
            layers.Neighbour(f"127.0.0.1:{free_port()}"),
        )
        self.assertEqual(layers.attempted(PROGRAMS[attack.program], sandbox, None)["word"], "broken")


class ChecksTest(unittest.TestCase):
    def test_what_is_observable_is_a_check(self):
        self.assertLessEqual(set(layers.OBSERVABLE), checks.CHECKS.keys())


if __name__ == "__main__":
    unittest.main()
