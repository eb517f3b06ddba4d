"""What a probe tried, what had to happen and what did."""

import errno
from dataclasses import dataclass

BLOCKED, REACHED, ERROR, ANY = "Blocked", "Reached", "Error", "Any"
REFUSALS = {errno.EPERM, errno.EACCES, errno.EROFS, errno.ENOSYS, errno.EAFNOSUPPORT, errno.ENOENT, errno.ESRCH}


@dataclass(frozen=True)
class Attempt:
    name: str
    layer: int
    expected: str  # Blocked, or Any where the answer only informs
    observed: str
    detail: str

    @property
    def holds(self) -> bool:
        return self.expected in (ANY, self.observed)


def attempt(name: str, layer: int, action, expected: str = BLOCKED, refusals=frozenset(REFUSALS)) -> Attempt:
    """Do it: a refusal is Blocked, success is Reached, anything else proves nothing and is an Error. `action` may return what it reached."""
    try:
        reached = action()
    except OSError as error:
        observed = BLOCKED if error.errno in refusals else ERROR
        return Attempt(name, layer, expected, observed, f"{type(error).__name__}: {error}")
    except Exception as error:
        return Attempt(name, layer, expected, ERROR, f"{type(error).__name__}: {error}")
    return Attempt(name, layer, expected, REACHED, str(reached or "it succeeded"))
