"""The output: a line for each program while it runs, then the failures and the numbers."""

import json

from adversary import expectations
from adversary.trial import Result


class Report:
    def __init__(self, verbose: bool):
        self._verbose = verbose
        self._results: list[Result] = []
        self._troubles: list[str] = []  # of the pods and of the suite itself

    def add(self, result: Result) -> None:
        self._results.append(result)
        accepted = _accepted(result)
        mark = "FAILED" if _failed(result) else "ok    "
        line = f"{mark} {result.program} [{result.variant}] {result.word}, {result.seconds:.1f} s"
        print(
            line + (f": {result.evidence[:900]}" if result.evidence else "") + (f" ({accepted})" if accepted else ""),
            flush=True,
        )
        for answer in result.answers if self._verbose else []:
            print(f"       {json.dumps(answer)[:1000]}", flush=True)

    def trouble(self, message: str) -> None:
        self._troubles.append(message)
        print(f"FAILED {message}", flush=True)

    def end(self) -> int:
        """Prints how many passed and failed as the last line; returns the exit code."""
        failed = [result for result in self._results if _failed(result)]
        attacks = [result for result in self._results if result.word in ("held", "succeeded")]
        honest = [result for result in self._results if result.word in ("fair", "unfair")]
        print(f"\n{len(attacks)} attacks, {_numbers(attacks, 'succeeded')}")
        print(f"{len(honest)} honest programs, {_numbers(honest, 'unfair')}")
        for result in failed:
            print(f"  {result.program} [{result.variant}] {result.word}: {result.evidence[:600]}")
        for trouble in self._troubles:
            print(f"  {trouble}")
        count = len(failed) + len(self._troubles)
        print(f"{len(self._results) - len(failed)} passed, {count} failed", flush=True)
        return 0 if count == 0 and self._results else 1


def _numbers(results: list[Result], word: str) -> str:
    bad = [result for result in results if result.word == word]
    return f"{len(bad)} {word}, {sum(map(_was_accepted, bad))} of them as documented"


def _accepted(result: Result) -> str | None:
    return expectations.reason(result.program, result.variant) if result.word in ("succeeded", "unfair") else None


def _was_accepted(result: Result) -> bool:
    return _accepted(result) is not None


def _failed(result: Result) -> bool:
    return result.word in ("succeeded", "unfair", "broken") and not _was_accepted(result)
