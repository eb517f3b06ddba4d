#!/usr/bin/env python3
"""probe.py [--deadline SECONDS] [--port PORT] [--model NAME] [--loader PORT]: exits 0 if the engine completes a real
request in time.

The startup and liveness probe of a vLLM pod, run in the engine's container because vLLM listens on localhost only.
`/health` stays 200 when a later pipeline rank has died and every request hangs; one token through all the ranks
is reliable. A busy engine is slow, not dead: an engine that produced tokens since the last probe is alive too.
One that the loader beside it found corrupted (NaN in its caches) returns tokens without text permanently, so it isn't
alive.
"""

import argparse
import json
import pathlib
import sys
import tempfile
import time
import urllib.request
from typing import Any

PROMPT = "1"
MEMORY = pathlib.Path(tempfile.gettempdir()) / "rune-probe.tokens"
"""The count of generated tokens at the last probe."""


def get(url: str, deadline: float, body: dict[str, Any] | None = None) -> bytes:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=max(0.1, deadline - time.monotonic())) as answer:
        return answer.read()


def base_name(url: str, deadline: float) -> str:
    """The served name of the base: the model without a parent."""
    models = json.loads(get(f"{url}/v1/models", deadline))["data"]
    return next(m["id"] for m in models if not m.get("parent"))


def completes(url: str, model: str, deadline: float) -> bool:
    answer = json.loads(
        get(f"{url}/v1/completions", deadline, {"model": model, "prompt": PROMPT, "max_tokens": 1, "temperature": 0})
    )
    return answer["usage"]["completion_tokens"] >= 1


def generated_tokens(url: str, deadline: float) -> float:
    lines = get(f"{url}/metrics", deadline).decode().splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith("vllm:generation_tokens_total"))


def advanced(now: float, memory: pathlib.Path = MEMORY) -> bool:
    """Whether tokens were generated since the last probe; stores the count for the next."""
    try:
        before = float(memory.read_text())
    except (OSError, ValueError):
        before = now
    memory.write_text(str(now))
    return now > before


def spoilt(loader: int, deadline: float) -> str:
    """The fault that only a restart cures, according to the loader, or empty; an unavailable loader reports none."""
    try:
        return get(f"http://127.0.0.1:{loader}/spoilt", min(deadline, time.monotonic() + 1)).decode(errors="replace")
    except OSError:
        return ""


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--deadline", type=float, default=20, help="seconds that the probe may take")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--model", help="served name of the base; asked from the engine when unset")
    parser.add_argument("--loader", type=int, default=9090, help="port of the loader in the same pod")
    asked = parser.parse_args()
    url, end = f"http://127.0.0.1:{asked.port}", time.monotonic() + asked.deadline
    if problem := spoilt(asked.loader, end):
        print(f"the engine is spoilt: {problem}", file=sys.stderr)
        return 1
    patience = end - 0.1 * asked.deadline  # the rest is for checking whether it is only busy
    try:
        if completes(url, asked.model or base_name(url, patience), patience):
            return 0
        problem = "an answer without tokens"
    except Exception as error:  # to a probe all failures are the same
        problem = str(error)
    try:
        if advanced(generated_tokens(url, end)):
            return 0
    except Exception as error:
        problem = f"{problem}; {error}"
    print(f"the engine did not complete one token within {asked.deadline:g} s: {problem}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
