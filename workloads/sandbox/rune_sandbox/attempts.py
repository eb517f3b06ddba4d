"""What a probe tried, what was expected and what happened."""

import errno
from dataclasses import dataclass
from typing import Any

from rune_sandbox.contract import Observed

BLOCKED, REACHED, ERROR, ANY = Observed.BLOCKED, Observed.REACHED, Observed.ERROR, "Any"
REFUSALS = {errno.EPERM, errno.EACCES, errno.EROFS, errno.ENOSYS, errno.EAFNOSUPPORT, errno.ENOENT, errno.ESRCH}


@dataclass(frozen=True)
class Attempt:
    name: str
    layer: int
    expected: str  # Blocked, or Any where the result is only informational
    observed: str
    detail: str

    @property
    def holds(self) -> bool:
        return self.expected in (ANY, self.observed)


def every(name: str, actions: dict[str, Any], expected: str = BLOCKED, refusals: Any = frozenset(REFUSALS)) -> Attempt:
    """Several of one kind, reported as one: refused only if each is. `actions` by what they try."""
    tried = {label: attempt(name, 2, action, expected, refusals) for label, action in actions.items()}
    wrong = {label: each for label, each in tried.items() if each.observed != BLOCKED}
    if not wrong:
        return Attempt(name, 2, expected, BLOCKED, f"refused: {', '.join(tried)}")
    worst = REACHED if any(each.observed == REACHED for each in wrong.values()) else ERROR
    return Attempt(name, 2, expected, worst, "; ".join(f"{label}: {each.detail}" for label, each in wrong.items()))


def attempt(
    name: str, layer: int, action: Any, expected: str = BLOCKED, refusals: Any = frozenset(REFUSALS)
) -> Attempt:
    """Do it: a refusal is Blocked, success is Reached, anything else proves nothing and is an Error. `action` may return what it reached."""
    try:
        reached = action()
    except TimeoutError as error:  # most policies refuse by silence
        return Attempt(name, layer, expected, BLOCKED, f"no answer: {error}")
    except OSError as error:
        observed = BLOCKED if error.errno in refusals else ERROR
        return Attempt(name, layer, expected, observed, f"{type(error).__name__}: {error}")
    except Exception as error:
        return Attempt(name, layer, expected, ERROR, f"{type(error).__name__}: {error}")
    return Attempt(name, layer, expected, REACHED, str(reached or "it succeeded"))
