"""Programs known to end differently than they should, each for a reason in the sandbox's README.
Anything else fails the run.
"""

from dataclasses import dataclass

_NO_LANDLOCK = "README, Without Landlock: a program can read whatever its user can"
_KNOWN = "README, Known limits"


@dataclass(frozen=True)
class Expectation:
    program: str
    variant: str
    reason: str  # where it is documented, and what is accepted


EXPECTED = (
    Expectation(
        "f17_execute_own_binary",
        "pod",
        f"{_KNOWN}: what a program wrote can be run through the dynamic loader, as locked as it",
    ),
    Expectation(
        "f18_chmod_outside",
        "pod",
        f"{_KNOWN}: modes and times of files of the same user; in a pod there are none but its own",
    ),
    Expectation(
        "f24_lock_a_system_file",
        "pod",
        f"{_KNOWN}: locks on files that can be read, against other programs of the container",
    ),
    Expectation("f03_read_outside", "nolandlock", f"{_NO_LANDLOCK}, the runner's token too"),
    Expectation(
        "f04_proc_of_the_runner",
        "nolandlock",
        f"{_NO_LANDLOCK}: dumpable processes, of which the sandbox has none itself",
    ),
    Expectation(
        "p52_memory_of_the_nursery",
        "nolandlock",
        f"{_NO_LANDLOCK}: dumpable processes, of which the sandbox has none itself",
    ),
    Expectation(
        "h07_subprocess_with_timeout",
        "abi5",
        "README, What holds on which kernel: below ABI 6 no program can end its own children",
    ),
    Expectation(
        "h77_anonymous_memory_map", "pod", f"{_KNOWN}: anonymous shared pages are in no count, so they need MAP_PRIVATE"
    ),
)


def reason(program: str, variant: str) -> str | None:
    """Why this is accepted; None where it isn't."""
    return next((each.reason for each in EXPECTED if (each.program, each.variant) == (program, variant)), None)
