"""The script every locked process starts as: `enter.py candidate|judge|probe`. It locks itself first, then does its part."""

import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from rune_sandbox import candidate, judge, probe_inside  # noqa: E402 (the path must be set first)
from rune_sandbox.lock import Lock, apply  # noqa: E402
from rune_sandbox.processes import DOCUMENT_FD, LOCK_FAILED, OUT_OF_MEMORY  # noqa: E402

PARTS = {"candidate": candidate.run, "judge": judge.run, "probe": probe_inside.run}


def main() -> None:
    with open(DOCUMENT_FD, encoding="utf-8") as file:
        document = json.load(file)
    del sys.path[0]
    lock = Lock(**document["lock"])
    try:
        apply(lock)
    except (OSError, ValueError) as error:
        print(f"the lock could not be applied, so nothing was run: {error}", file=sys.stderr, flush=True)
        os._exit(LOCK_FAILED)
    sys.path.append(lock.library)
    try:
        PARTS[sys.argv[1]](document)
    except MemoryError:  # too little is left to say it with words
        os._exit(OUT_OF_MEMORY)


main()
