"""Everything the runner reads from its environment."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rune_sandbox.contract import (
    LANDLOCK_SUBSTITUTE,
    LIBRARY_PATH,
    OUT_PATH,
    PORT,
    TOKEN_FILE_VARIABLE,
    TOKEN_PATH,
    WITHOUT_LANDLOCK_VARIABLE,
)


@dataclass(frozen=True)
class Config:
    host: str  # empty for every address, IPv6 included where the node has it
    port: int
    token: str
    token_file: str
    output: str  # executions get fresh directories below it
    library: str
    queue: int  # executions that may wait behind the running one
    processes: int  # tasks of this user, the runner's own threads included
    file_bytes: int  # per file and per execution
    stored_results: int
    stored_bytes: int  # of output
    without_landlock: bool
    contained: bool  # process 1 is ours: so are the system's scratch directories

    @property
    def connections(self) -> int:
        return 4 * (1 + self.queue) + 16


def from_environment(environment: Any = os.environ, contained: bool = False) -> Config:
    """Raises OSError or ValueError with a sentence for the person who deployed the runner."""
    token_file = environment.get(TOKEN_FILE_VARIABLE, TOKEN_PATH)
    return Config(
        host=environment.get("RUNE_RUNNER_HOST", ""),
        port=int(environment.get("RUNE_RUNNER_PORT", PORT)),
        token=_token(token_file),
        token_file=token_file,
        output=environment.get("RUNE_SANDBOX_OUT", OUT_PATH),
        library=environment.get("RUNE_SANDBOX_LIB", LIBRARY_PATH),
        queue=_positive(environment, "RUNE_RUNNER_QUEUE", 16),
        processes=_positive(environment, "RUNE_SANDBOX_PROCESSES", 128),
        file_bytes=_positive(environment, "RUNE_SANDBOX_OUT_MIB", 16) * 1024 * 1024,
        stored_results=_positive(environment, "RUNE_RUNNER_STORED_RESULTS", 10_000),
        stored_bytes=_positive(environment, "RUNE_RUNNER_STORED_MIB", 16) * 1024 * 1024,
        without_landlock=_substitute(environment.get(WITHOUT_LANDLOCK_VARIABLE, "")),
        contained=contained,
    )


def _token(path: str) -> str:
    token = Path(path).read_text(encoding="ascii").strip()
    if not token:
        raise ValueError(f"{path} is empty; the runner needs a token to tell its callers by")
    return token


def _positive(environment: Any, name: str, default: int) -> int:
    value = int(environment.get(name, default))
    if value < 1:
        raise ValueError(f"{name} is {value}; it must be at least 1")
    return value


def _substitute(value: str) -> bool:
    if value not in ("", LANDLOCK_SUBSTITUTE):
        raise ValueError(
            f"{WITHOUT_LANDLOCK_VARIABLE} is {value!r}; the only value is {LANDLOCK_SUBSTITUTE!r}, for a runtime class that takes Landlock's place"
        )
    return value == LANDLOCK_SUBSTITUTE
