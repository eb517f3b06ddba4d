"""Attacks that are known to succeed, each for a reason that README of the sandbox states. Every other success fails the run."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Expectation:
    program: str
    variant: str
    reason: str  # where it is documented, and why it is accepted


EXPECTED: tuple[Expectation, ...] = ()


def reason(program: str, variant: str) -> str | None:
    """Why this success is accepted; None where it isn't."""
    return next((each.reason for each in EXPECTED if (each.program, each.variant) == (program, variant)), None)
