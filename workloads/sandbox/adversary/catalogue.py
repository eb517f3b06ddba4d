"""The programs: what each tries, how it is run, and what an observer must check."""

import re
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
PROGRAMS, STARTS = HERE / "programs", HERE / "starts"
NEXT, TESTS = "# ==== NEXT EXECUTION ====\n", "# ==== TESTS ====\n"
DEFAULT_TESTS = "assert solve(1) == 2"
KINDS = ("program", "http", "honest")
_DIRECTIVES = {
    "kind", "check", "variants", "expect", "short", "start", "timeout", "memory", "output", "entry", "repeat", "after",
    "testcode", "touch", "poll", "outsideconnect", "lockcheck",
}  # fmt: skip


class Malformed(Exception):
    """A file of programs/ that can't be run as it is written."""


@dataclass(frozen=True)
class Program:
    """One parsed file of programs/."""

    name: str
    intent: str
    kind: str  # one of KINDS
    checks: tuple[tuple[str, ...], ...]  # each the name of a check and its arguments; any one of them is a success
    variants: tuple[str, ...]
    expect: tuple[str, str]  # for honest programs: the outcome, and words of its reason
    short: bool
    executions: tuple[str, ...]  # the programs, one after the other
    tests: str
    timeout: float  # seconds
    memory: int  # MiB
    output: int  # bytes
    entry: str
    repeat: int
    after: float  # seconds that the observer keeps watching
    beside: dict[str, str] = field(default_factory=dict)  # what the observer does meanwhile: see bystanders.py


def read_all(prefixes: tuple[str, ...] = ("",)) -> list[Program]:
    """Every program whose name begins with one of `prefixes`, by name."""
    return [read(path) for path in sorted(PROGRAMS.glob("*.py")) if path.name.startswith(prefixes)]


def read(path: Path) -> Program:
    text = path.read_text(encoding="utf-8")
    directives = dict(re.findall(r"^#: (\w+) = (.*)$", text, re.MULTILINE))
    if unknown := directives.keys() - _DIRECTIVES:
        raise Malformed(f"{path.name} has directives that mean nothing: {', '.join(sorted(unknown))}")
    kind = directives.get("kind", "program")
    if kind not in KINDS:
        raise Malformed(f"{path.name} is of kind {kind!r}; there are {', '.join(KINDS)}")
    if kind != "honest" and "check" not in directives:
        raise Malformed(f"{path.name} doesn't say what the observer looks for (#: check = …)")
    body, _, tests = re.sub(r"^#: .*\n", "", text, flags=re.MULTILINE).partition(TESTS)
    start = _starts(directives.get("start", ""))
    return Program(
        name=path.stem,
        intent=_first_comment(text),
        kind=kind,
        checks=_checks(directives.get("check", "")),
        variants=tuple(_words(directives.get("variants", "pod"))),
        expect=_expectation(directives.get("expect", "Passed")),
        short=_short(directives, kind),
        executions=tuple(start + each for each in body.split(NEXT)),
        tests=_tests(directives, tests),
        timeout=float(directives.get("timeout", 3)),
        memory=int(directives.get("memory", 256)),
        output=int(directives.get("output", 65536)),
        entry=directives.get("entry", "solve"),
        repeat=int(directives.get("repeat", 1)),
        after=float(directives.get("after", 0.1)),
        beside={
            name: directives[name] for name in ("touch", "poll", "outsideconnect", "lockcheck") if name in directives
        },
    )


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _checks(text: str) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(check.split()) for check in text.split(";") if check.strip())


def _first_comment(text: str) -> str:
    found = re.match(r"(?:# .*\n)*", text)
    lines = found.group(0) if found else ""
    return " ".join(line.removeprefix("# ") for line in lines.splitlines())


def _expectation(text: str) -> tuple[str, str]:
    outcome, _, words = text.partition(":")
    return outcome.strip(), words.strip()


def _short(directives: dict[str, str], kind: str) -> bool:
    """Honest programs belong to the short form unless they opt out, attacks only if they opt in."""
    return directives.get("short", "yes" if kind == "honest" else "no") == "yes"


def _starts(names: str) -> str:
    return "".join((STARTS / f"{name}.py").read_text(encoding="utf-8") + "\n\n" for name in _words(names))


def _tests(directives: dict[str, str], section: str) -> str:
    """The section's, those that a Python expression generates (for thousands of lines), or the default."""
    if "testcode" in directives:
        return eval(directives["testcode"])
    return section or DEFAULT_TESTS
