"""Copied into the copy of the sandbox that is attacked, whose `__init__.py` then calls `offer` in each of its processes.

The only seam is `landlock.abi()`, by which the sandbox itself reads the version from the kernel.
"""

from rune_sandbox import landlock


def offer(most: int) -> None:
    """At most this Landlock version, whatever the kernel has; 0: none at all."""
    ask = landlock.abi
    landlock.abi = lambda: min(most, ask())
