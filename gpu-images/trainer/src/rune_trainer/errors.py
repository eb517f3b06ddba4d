"""How a run ends other than successfully:
each ending has an exit code of the pod contract and a reason for programs.
"""

import contextlib
import traceback
from collections.abc import Generator
from typing import Any

from safetensors import SafetensorError

from rune_trainer.contract import Exit, Reason


class Ending(Exception):
    """Ends the run with `code`; `reason` is one word for programs, the message a sentence with what to do next."""

    def __init__(self, code: int, reason: Reason, message: str):
        super().__init__(message)
        self.code: int = code
        self.reason: Reason = reason
        self.message: str = message

    def __reduce__(self) -> tuple[Any, ...]:
        return Ending, (self.code, self.reason, self.message)


def bad_input(message: str) -> Ending:
    """The job document is wrong."""
    return Ending(Exit.BAD_INPUT, "InvalidSpec", message)


def data_error(reason: Reason, message: str) -> Ending:
    """The corpus, the base or an artifact is not what its digest or schema says."""
    return Ending(Exit.DATA_ERROR, reason, message)


def unavailable(reason: Reason, message: str) -> Ending:
    """Something needed is unavailable; worth another try."""
    return Ending(Exit.UNAVAILABLE, reason, message)


def misconfigured(reason: Reason, message: str) -> Ending:
    """The image, the node or the installation can't do what the job asks."""
    return Ending(Exit.MISCONFIGURED, reason, message)


def terminated(message: str) -> Ending:
    """SIGTERM came; a checkpoint was written."""
    return Ending(Exit.TERMINATED, "Terminated", message)


def ending_of(error: Exception) -> Ending:
    """How an exception ends the run. A failure of unknown cause is a traceback and code 1: worth a retry."""
    import torch  # the clients among the programs don't have it

    if isinstance(error, Ending):
        return error
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return Ending(
            1,
            "OutOfMemory",
            "the trainer ran out of memory; raise resources.memory or lower batchSize and maxLength of the method",
        )
    traceback.print_exception(error)
    return Ending(1, "Unexpected", f"{type(error).__name__}: {error}")


@contextlib.contextmanager
def base_unusable(what: str) -> Generator[None, None, None]:
    """For reading files that match their digest:
    a failure there is permanent, unless the disk or the memory is at fault.
    """
    try:
        yield
    except (OSError, ValueError, LookupError, TypeError, AttributeError, ImportError, SafetensorError) as error:
        if isinstance(error, OSError) and error.errno:
            raise
        raise data_error(
            "BaseUnusable",
            f"{what} can't be loaded: {type(error).__name__}: {error}; use a base that transformers can load",
        ) from error
