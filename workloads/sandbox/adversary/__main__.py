"""`python3 -m adversary`, as root in workloads/sandbox: every program against each of its variants. See README.md."""

import argparse
import os
import shutil
import signal
import sys
from contextlib import ExitStack
from pathlib import Path

from adversary import catalogue, enclosure, processes
from adversary.canaries import Canaries
from adversary.catalogue import Program
from adversary.pod import Pod
from adversary.report import Report
from adversary.trial import Result, trial
from adversary.variants import VARIANTS

_HOME = Path("/run")  # not below /tmp: a pod has a separate /tmp
_FIRST_UID, _UIDS = 64_100, 1_000


def main() -> int:
    options = _options()
    try:
        enclosure.require()
        jobs = _jobs(options)
    except (enclosure.Unfit, catalogue.Malformed) as error:
        print(error, file=sys.stderr)
        return 78
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(130))
    report = Report(options.verbose)
    uid = _free_uid()
    home = _HOME / f"rune-adversary-{uid}"
    with ExitStack() as stack:
        home.mkdir()
        stack.callback(shutil.rmtree, home, ignore_errors=True)
        home.chmod(0o755)
        _Run(report, uid, home, controlled=not options.short).all(jobs)
    return report.end()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="npm run adversary --", description="Runs hostile and honest programs against the sandbox."
    )
    parser.add_argument(
        "-k", dest="prefixes", default="", help="only programs whose names begin so, comma separated: p0,v08"
    )
    parser.add_argument("--variant", default="", help=f"only these, comma separated: {', '.join(VARIANTS)}")
    parser.add_argument("--short", action="store_true", help="the form that npm test runs")
    parser.add_argument("-v", dest="verbose", action="store_true", help="with the runner's answers")
    return parser.parse_args()


def _jobs(options: argparse.Namespace) -> list[tuple[str, Program]]:
    """(variant, program), in the order in which they run: few pods, grouped by pod."""
    wanted = [name.strip() for name in options.variant.split(",") if name.strip()] or list(VARIANTS)
    if unknown := [name for name in wanted if name not in VARIANTS]:
        raise catalogue.Malformed(f"no variant is called {', '.join(unknown)}; there are: {', '.join(VARIANTS)}")
    programs = catalogue.read_all(tuple(options.prefixes.split(",")))
    jobs = [
        (name, each)
        for name in wanted
        for each in programs
        if name in each.variants and (each.short or not options.short)
    ]
    if not jobs:
        raise catalogue.Malformed("no program is called so, or none runs in that variant")
    return jobs


def _free_uid() -> int:
    """A separate user for each run, so that simultaneous runs don't share one."""
    offered = (_FIRST_UID + (os.getpid() + step) % _UIDS for step in range(_UIDS))
    return next(uid for uid in offered if not processes.of_user(uid) and not (_HOME / f"rune-adversary-{uid}").exists())


class _Run:
    """One pod at a time: a new one for each variant, and after each program that damaged the last one."""

    def __init__(self, report: Report, uid: int, home: Path, controlled: bool):
        self._report, self._uid, self._home, self._controlled = report, uid, home, controlled
        self._canaries = Canaries(home / "canary")
        self._pod: Pod | None = None

    def all(self, jobs: list[tuple[str, Program]]) -> None:
        try:
            for variant, program in jobs:
                self._report.add(self._one(variant, program))
        finally:
            self._end_pod()

    def _one(self, variant: str, program: Program) -> Result:
        if self._pod is not None and self._pod.variant.name != variant:
            self._end_pod()
        try:
            self._pod = self._pod or Pod(VARIANTS[variant], self._uid, self._home)
            result = trial(program, self._pod, self._canaries, self._controlled)
        except Exception as error:  # any failure is reported in this program's line, and the others still run
            result = Result(program.name, variant, "broken", f"{type(error).__name__}: {error}", 0, [], hurt=True)
        if result.hurt:
            self._end_pod()
        return result

    def _end_pod(self) -> None:
        pod, self._pod = self._pod, None
        if pod is None:
            return
        try:
            for trouble in pod.end():
                self._report.trouble(f"after the pod of variant {pod.variant.name} had ended, {trouble}")
        except OSError as error:
            self._report.trouble(f"the pod of variant {pod.variant.name} could not be removed: {error}")


sys.exit(main())
