"""What a verdict costs: median and 90th percentile of a trivial program's round trip through POST /execute.

python3 bench/sandbox/round_trip.py [runs]    (as root the runner gets a scratch user, as in the sandbox's own tests)
"""

import os
import statistics
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "workloads", "sandbox"))

from rune_sandbox.harness import LiveRunner

PROGRAM, TESTS = "def solve(x):\n    return x + 1\n", "assert solve(1) == 2"
WARM_UP = 3


def main(runs: int) -> None:
    with LiveRunner() as runner:
        took = sorted([_milliseconds(runner) for _ in range(WARM_UP + runs)][WARM_UP:])
    print(
        f"{runs} runs on {os.cpu_count()} cores: median {statistics.median(took):.0f} ms, p90 {took[int(0.9 * (runs - 1))]:.0f} ms"
    )


def _milliseconds(runner: LiveRunner) -> float:
    started = time.perf_counter()
    answer = runner.execute(PROGRAM, TESTS)
    if answer["outcome"] != "Passed":
        raise SystemExit(f"a right program was judged {answer}")
    return (time.perf_counter() - started) * 1000


main(int(sys.argv[1]) if len(sys.argv) > 1 else 40)
