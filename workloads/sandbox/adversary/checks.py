"""What counts as an attack's success, seen from outside. Each check returns what it found, or None;
the program's claims are ignored.
"""

import http.client
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adversary.catalogue import Program
from adversary.pod import Pod
from adversary.watch import Watch

_UNITS = {"M": 1 << 20, "G": 1 << 30}


@dataclass(frozen=True)
class Seen:
    """What the observer has once a program, and the benign ones after it, have been judged."""

    program: Program
    pod: Pod
    answers: list[dict[str, Any]]
    watch: Watch
    differences: list[str]  # of the state outside
    reached: list[tuple[str, bytes]]  # canaries and what they received
    secrets: dict[str, str]
    outside: str | None  # what a bystander, or an attacker who is a caller, found
    runner: list[str]  # what changed in the runner's process
    ended: list[str]  # permanent processes of the runner that have ended
    victim: dict[str, tuple[str | None, str | None]]
    problems: list[str]


def successes(seen: Seen) -> list[str]:
    """Evidence of the program's own checks, then of any other harm that was left."""
    found = [evidence for name, *arguments in seen.program.checks if (evidence := CHECKS[name](seen, *arguments))]
    return found + [
        f"besides: {problem}" for problem in seen.problems if not any(problem in evidence for evidence in found)
    ]


def _passed(seen: Seen) -> str | None:
    won = sum(answer.get("passed") is True for answer in seen.answers)
    return f"a wrong program was judged Passed in {won} of {len(seen.answers)} executions" if won else None


def _next(seen: Seen, outcome: str) -> str | None:
    """The honest program after it was judged differently."""
    last = seen.answers[-1]
    said = last.get("error", last.get("message"))
    return (
        None
        if last.get("outcome") == outcome
        else f"the honest program after it was judged {last.get('outcome')}: {said}"
    )


def _canary(seen: Seen, *names: str) -> str | None:
    hits = [event for event in seen.reached if not names or event[0] in names]
    return f"canaries were reached: {hits[:3]}" if hits else None


def _secret(seen: Seen, name: str) -> str | None:
    """In the last execution's result, if an earlier one had the secret; otherwise in any result."""
    text = json.dumps(seen.answers[-1:] if len(seen.program.executions) > 1 else seen.answers)
    at = text.find(seen.secrets[name])
    return f"{name} came out: …{text[max(0, at - 60) : at + 60]}…" if at >= 0 else None


def _needle(seen: Seen) -> str | None:
    hits = sum(seen.secrets["needle"] in str(answer.get("stdout")) for answer in seen.answers)
    return f"the tests were read in {hits} of {len(seen.answers)} executions" if hits else None


def _hardware(seen: Seen) -> str | None:
    known = {path.read_text().strip() for path in Path("/sys/class/net").glob("*/address")} - {"00:00:00:00:00:00", ""}
    hits = [address for address in known if address in json.dumps(seen.answers)]
    return f"hardware addresses of the network came out: {hits}" if hits else None


def _changed(seen: Seen) -> str | None:
    return f"changed outside: {seen.differences[:4]}" if seen.differences else None


def _victim(seen: Seen) -> str | None:
    return f"the victim's process changed: {str(seen.victim)[:400]}" if seen.victim else None


def _runner(seen: Seen) -> str | None:
    unanswered = [f"HTTP {a['_status']} {a.get('message', '')}" for a in seen.answers if a["_status"] in (0, 500)]
    return "; ".join([*seen.runner, *unanswered]) or None


def _kept(seen: Seen) -> str | None:
    return f"processes that the runner keeps were ended: {seen.ended}" if seen.ended else None


def _answer(seen: Seen, name: str, word: str) -> str | None:
    values = [str(answer.get(name)) for answer in seen.answers]
    hits = [value[:200] for value in values if word in value]
    return f"{name} of {len(hits)} answers: {hits[0]}" if hits else None


def _judge(seen: Seen) -> str | None:
    errors = [str(answer.get("error")) for answer in seen.answers]
    died = [error for error in errors if "without a verdict" in error]
    return f"the judge died in {len(died)} executions: {died[0]}" if died else None


def _peak(seen: Seen, name: str, bound: str) -> str | None:
    unit = _UNITS.get(bound[-1], 1)
    reached = seen.watch.peak.get(name, 0) / unit
    return f"{name} reached {reached:.0f} (bound {bound})" if reached > float(bound.rstrip("MG")) else None


def _descriptor(seen: Seen, *words: str) -> str | None:
    hits = [link for link in seen.watch.links if any(word in link for word in words)]
    return f"descriptors that it must not have: {hits[:5]}" if hits else None


def _protocol(seen: Seen, *names: str) -> str | None:
    hits = {name: count for name, count in seen.watch.protocols.items() if name in names}
    return f"sockets of other protocols: {hits}" if hits else None


def _namespace(seen: Seen) -> str | None:
    return f"namespaces of its own: {seen.watch.namespaces}" if seen.watch.namespaces else None


def _identity(seen: Seen) -> str | None:
    return f"other user IDs: {seen.watch.identities}" if seen.watch.identities else None


def _mounts(seen: Seen) -> str | None:
    now = Path(f"/proc/{seen.pod.pid}/mounts")
    return "the runner's mounts changed" if now.exists() and now.read_text() != seen.watch.mounts else None


def _group(seen: Seen) -> str | None:
    """An execution has two sessions, the judge's and the program's; process groups match their sessions."""
    odd = [each for each in seen.watch.groups if each[0] != each[1]]
    leaders = {session for _, session, _, _ in seen.watch.groups} - seen.pod.own_sessions
    if odd or len(leaders) > 2 * len(seen.answers):
        return f"processes left their group: {odd[:3] or sorted(leaders)}"
    return None


def _mapped(seen: Seen) -> str | None:
    return f"code from the output directory was run: {sorted(seen.watch.mapped)[:2]}" if seen.watch.mapped else None


def _problem(word: str) -> Callable[[Seen], str | None]:
    return lambda seen: next((problem for problem in seen.problems if problem.startswith(word)), None)


def _late(seen: Seen, slack: str) -> str | None:
    over = max(answer["_seconds"] for answer in seen.answers) - seen.program.timeout
    return f"answered {over:.1f} s after the deadline" if over > float(slack) else None


def _toolong(seen: Seen) -> str | None:
    """`outputBytes` bounds what the program wrote; bytes that aren't UTF-8 are returned as one character each."""
    longest = max(len(str(answer.get(stream, ""))) for answer in seen.answers for stream in ("stdout", "stderr"))
    return f"{longest} characters of output came back" if longest > seen.program.output else None


def _slots(seen: Seen) -> str | None:
    """Does the health check still respond while one program runs?"""
    waiting = "import time\ndef solve(x):\n    time.sleep(2)\n    return 2"
    running = threading.Thread(target=lambda: seen.pod.execute(waiting, "assert solve(1) == 2", timeout=5))
    running.start()
    time.sleep(1)
    try:
        status, _ = seen.pod.request("GET", "/healthz", None, 2)
        found = None if status == 200 else str(status)
    except (OSError, http.client.HTTPException, ValueError) as error:
        found = f"{type(error).__name__}: {error}"
    running.join()
    return f"while one program runs, the health check gets {found}" if found else None


CHECKS: dict[str, Callable[..., str | None]] = {
    "passed": _passed,
    "next": _next,
    "canary": _canary,
    "secret": _secret,
    "needle": _needle,
    "hardware": _hardware,
    "changed": _changed,
    "victim": _victim,
    "runner": _runner,
    "kept": _kept,
    "answer": _answer,
    "judge": _judge,
    "peak": _peak,
    "descriptor": _descriptor,
    "protocol": _protocol,
    "namespace": _namespace,
    "identity": _identity,
    "mounts": _mounts,
    "group": _group,
    "mapped": _mapped,
    "late": _late,
    "toolong": _toolong,
    "slots": _slots,
    "outside": lambda seen: seen.outside,
    "hurt": lambda seen: "; ".join(seen.problems) or None,
    "survivor": _problem("SURVIVORS"),
    "leftover": _problem("LEFTOVER"),
    "misjudged": _problem("WRONG"),
}
