"""`python3 -m adversary.layers <testbed.json> <result.json>`: attacks against sandboxes in a cluster, layer by layer.

Started by `test/isolation`, which has made the sandboxes, each behind other layers, and says where they are. Every attack is a program of
`programs/`; here only what can be observed in a cluster counts as a success: a canary that was reached, a secret that came out, a file that
changed. Nothing but canaries of the test-bed is spoken to.
"""

import http.client
import json
import secrets
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from adversary import catalogue, checks
from adversary.caller import Caller
from adversary.catalogue import Program

OBSERVABLE = ("canary", "secret", "changed")
_LOOPBACK = "127.0.0.1"
_LEAST_SECONDS = 30.0  # an attack should be made, however slow the machine is
_ANSWER_SECONDS = 60.0
_ARRIVE_SECONDS = 0.6  # a datagram, or the half second that a canary listens to who says nothing


@dataclass(frozen=True)
class Attack:
    """A program at a target: the neighbour in its own pod, or the canary in another one."""

    threat: str
    program: str
    elsewhere: bool = False
    landlock: bool = False  # of the locks only Landlock stops it: no runtime class in its place promises to


# What the user of a program may do with files outside.
_BY_LANDLOCK = frozenset({"f01_write_outside", "f03_read_outside", "n23_fifo_outside"})


def _each(threat: str, programs: str, elsewhere: bool = False) -> tuple[Attack, ...]:
    return tuple(Attack(threat, program, elsewhere, program in _BY_LANDLOCK) for program in programs.split())


ATTACKS = (
    *_each(
        "another pod, over TCP and UDP",
        "n02_inet_udp n03_inet6_mapped n18_child_tools p22_seccomp_again",
        elsewhere=True,
    ),
    *_each(
        "its own pod's loopback",
        "n02_inet_udp n03_inet6_mapped n05_int80_socketcall n18_child_tools p22_seccomp_again",
    ),
    *_each(
        "sockets and pipes of its neighbours",
        "n08_vsock n11_unix_abstract_stream n12_unix_abstract_dgram n13_unix_path_stream n17_inherited_descriptors n23_fifo_outside "
        "n30_socketpairs_that_reach_out",
    ),
    *_each(
        "files that aren't its own",
        "f01_write_outside f03_read_outside f07_symlinks_left_behind f22_handles p45_survivors_make_the_runner_delete_outside",
    ),
    *_each("secrets of the process that runs it", "f04_proc_of_the_runner p52_memory_of_the_nursery"),
    *_each(
        "the next execution", "f34_traces_in_shared_places n21_two_executions_talk v24_state_from_an_earlier_execution"
    ),
)


class Neighbour:
    """The listeners and files beside a sandbox, or in another pod, as the observer sees them."""

    def __init__(self, address: str):
        self._host, _, port = address.rpartition(":")
        self._port = int(port)

    def seen(self) -> dict[str, Any]:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=10)
        try:
            connection.request("GET", "/seen")
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()


@dataclass(frozen=True)
class Sandbox:
    """One sandbox of the test-bed, behind its layers."""

    name: str
    locked: bool  # whether the runner itself is there; without locks another program answers in its place
    caller: Caller
    runner_secret: str
    neighbour: Neighbour

    @classmethod
    def of(cls, told: dict[str, Any]) -> "Sandbox":
        host, _, port = told["runner"].rpartition(":")
        caller = Caller(host, int(port), told["token"])
        return cls(told["name"], told["locked"], caller, told["secret"], Neighbour(told["neighbour"]))

    def prepare(self) -> None:
        """The runner executes nothing before its own layer is proven."""
        if not self.locked:
            return
        status, report = self.caller.request("POST", "/probe", {})
        if status != 200 or not report.get("verified"):
            raise RuntimeError(f"the sandbox {self.name} proves no isolation: HTTP {status} {json.dumps(report)[:800]}")


def main(testbed: str, result: str) -> None:
    told = json.loads(Path(testbed).read_text())
    programs = {program.name: program for program in catalogue.read_all()}
    attacks = [each for each in ATTACKS if programs[each.program].short or not told["short"]]
    sandboxes = [Sandbox.of(each) for each in told["sandboxes"]]
    canary, canary_host = Neighbour(told["canary"]["observer"]), told["canary"]["host"]
    for sandbox in sandboxes:
        sandbox.prepare()
    rows = []
    for attack in attacks:
        program = programs[attack.program]
        target = (canary, canary_host) if attack.elsewhere else None
        found = {sandbox.name: attempted(program, sandbox, target) for sandbox in sandboxes}
        rows.append({**asdict(attack), "tries": program.intent.removeprefix("TRIES: "), "found": found})
        words = ", ".join(f"{name} {each['word']}" for name, each in found.items())
        print(f"{attack.program}, {attack.threat}: {words}", flush=True)
    Path(result).write_text(json.dumps({"sandboxes": [each.name for each in sandboxes], "attacks": rows}, indent=1))


def attempted(program: Program, sandbox: Sandbox, elsewhere: tuple[Neighbour, str] | None) -> dict[str, str]:
    """{word: stopped, through or broken, evidence}."""
    neighbour, host = elsewhere or (sandbox.neighbour, _LOOPBACK)
    try:
        before = neighbour.seen()
        known = {
            "first": secrets.token_hex(12),
            "needle": secrets.token_hex(12),
            "bait": before["secret"],
            "token": sandbox.caller.token,
            "runner": sandbox.runner_secret,
        }
        answers = [
            sandbox.caller.execute(
                filled(each, before["places"], host, known), program.tests, _ANSWER_SECONDS, **_limits(program)
            )
            for each in program.executions
        ]
        time.sleep(_ARRIVE_SECONDS)
        after = neighbour.seen()
    except (OSError, http.client.HTTPException, ValueError) as error:
        return {"word": "broken", "evidence": f"{type(error).__name__}: {error}"}
    if unanswered := [answer for answer in answers if answer["_status"] not in (200, 503)]:
        return {"word": "broken", "evidence": f"HTTP {unanswered[0]['_status']} {unanswered[0].get('message', '')}"}
    evidence = successes(program, answers, before, after, known)
    if not evidence and any(answer.get("outcome") == "Timeout" for answer in answers):
        return {"word": "broken", "evidence": "it was not done in time, so perhaps not everything was tried"}
    return {"word": "through" if evidence else "stopped", "evidence": "; ".join(evidence)[:600]}


def _limits(program: Program) -> dict[str, Any]:
    return {
        "timeout": max(program.timeout, _LEAST_SECONDS),
        "memory": program.memory,
        "output": program.output,
        "entry": program.entry,
    }


def filled(text: str, places: dict[str, Any], host: str, known: dict[str, str]) -> str:
    """A program whose placeholders stand for what is in the pod; its loopback is the target's address."""
    table = {
        **places,
        "OUT": "/workspace/out", "LIB": "/workspace/lib", "TOKENFILE": "/rune/token", "HOME": "/app", "PORT": 8090,
        "RUNNER": 1, "VICTIM": 1, "SECRET": known["first"], "NEEDLE": known["needle"], "ROUND": 1,
    }  # fmt: skip
    for name, value in table.items():
        text = text.replace(f"__{name}__", str(value))
    return text.replace(_LOOPBACK, host)


def successes(
    program: Program,
    answers: list[dict[str, Any]],
    before: dict[str, Any],
    after: dict[str, Any],
    known: dict[str, str],
) -> list[str]:
    """Evidence of those of the program's checks that can be made from outside a pod."""
    events = [(name, bytes.fromhex(said)) for name, said in after["events"][len(before["events"]) :]]
    changed = [
        path for path in {**before["state"], **after["state"]} if before["state"].get(path) != after["state"].get(path)
    ]
    nothing = cast(Any, None)
    seen = checks.Seen(
        program=program, pod=nothing, answers=answers, watch=nothing, differences=sorted(changed), reached=events, secrets=known,
        outside=None, runner=[], ended=[], victim={}, problems=[],
    )  # fmt: skip
    own = [
        check
        for check in program.checks
        if check[0] in OBSERVABLE and not (check[0] == "secret" and check[1] not in known)
    ]
    return [evidence for name, *arguments in own if (evidence := checks.CHECKS[name](seen, *arguments))]


if __name__ == "__main__":
    main(*sys.argv[1:])
