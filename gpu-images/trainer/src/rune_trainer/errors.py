"""How a run ends other than well: each ending has an exit code of the pod contract and a reason for programs."""

import contextlib
from collections.abc import Generator

from safetensors import SafetensorError

DATA_ERROR = 64
"""The corpus, the base or an artifact is not what its digest or schema says."""
BAD_INPUT = 65
"""The job document is wrong."""
UNAVAILABLE = 75
"""Something needed is away; worth another try."""
MISCONFIGURED = 78
"""The image, the node or the installation can't do what the job asks."""
TERMINATED = 143
"""SIGTERM came; a checkpoint was written."""


class Ending(Exception):
    """Ends the run with `code`; `reason` is one word for programs, the message a sentence with what to do next."""

    def __init__(self, code: int, reason: str, message: str):
        super().__init__(message)
        self.code, self.reason, self.message = code, reason, message


def bad_input(message: str) -> Ending:
    return Ending(BAD_INPUT, "InvalidSpec", message)


def data_error(reason: str, message: str) -> Ending:
    return Ending(DATA_ERROR, reason, message)


def unavailable(reason: str, message: str) -> Ending:
    return Ending(UNAVAILABLE, reason, message)


def misconfigured(reason: str, message: str) -> Ending:
    return Ending(MISCONFIGURED, reason, message)


def terminated(message: str) -> Ending:
    return Ending(TERMINATED, "Terminated", message)


@contextlib.contextmanager
def base_unusable(what: str) -> Generator[None, None, None]:
    """Within it, files that their digest vouches for are read: what fails there fails every time, unless the disk or the memory is at fault."""
    try:
        yield
    except (OSError, ValueError, LookupError, TypeError, AttributeError, ImportError, SafetensorError) as error:
        if isinstance(error, OSError) and error.errno:
            raise
        raise data_error(
            "BaseUnusable",
            f"{what} can't be loaded: {type(error).__name__}: {error}; use a base that transformers can load",
        ) from error
