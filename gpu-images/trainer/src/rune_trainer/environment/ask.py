"""Sends a server one question, once for each model, over its OpenAI-compatible API: `askJob` → `askResult`.

An ordinary client: it has no credential, and doesn't load torch.
"""

import json
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

from rune_trainer import result
from rune_trainer.contract import ANSWER_CHARACTERS, AskJob
from rune_trainer.environment.job import read_document, run
from rune_trainer.errors import data_error, unavailable
from rune_trainer.parsing import read

LATER = (408, 425, 429, 500, 502, 503, 504)
"""Status codes after which a retry may help."""
PAUSE_SECONDS = 2.0
ANSWER_SECONDS = 120
GREEDY = {"temperature": 0, "repetition_penalty": 1}
"""The second is vLLM's own: many bases have generation settings that penalise a word for its repeated syllables, greedy
or not.
"""


class Away(Exception):
    """Worth a retry."""


def post(url: str, body: dict[str, Any]) -> str:
    """The text of the answer. Raises `Away` for temporary failures, and an `Ending` for permanent ones."""
    request = urllib.request.Request(
        f"{url}/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:
            return json.load(answer)["choices"][0]["message"]["content"] or ""
    except urllib.error.HTTPError as error:
        words = f"{error.code} {error.read(500).decode(errors='replace')}".strip()
        if error.code in LATER:
            raise Away(words) from error
        raise data_error("Refused", f"the server refused to answer as {body['model']}: {words}") from error
    except (OSError, ValueError) as error:
        raise Away(str(error)) from error
    except (LookupError, TypeError) as error:
        raise data_error(
            "NoCompletion", f"what answers at {url} isn't an OpenAI-compatible server: {error!r}"
        ) from error


def ask(asked: AskJob, send: Callable[[str, dict[str, Any]], str] = post, clock: Any = time) -> dict[str, Any]:
    """Greedy answers, in the order of the models."""
    until = clock.monotonic() + asked.seconds

    def answer(model: str) -> str:
        message = {"role": "user", "content": asked.question}
        while True:
            try:
                return send(
                    asked.url, {"model": model, "messages": [message], **GREEDY, "max_tokens": asked.max_tokens}
                )
            except Away as away:
                if clock.monotonic() >= until:
                    raise unavailable("ServerUnavailable", f"{asked.url} didn't answer as {model}: {away}") from away
                clock.sleep(PAUSE_SECONDS)

    return {"answers": [result.cut(answer(model), ANSWER_CHARACTERS) for model in asked.models]}


def main() -> int:
    return run(lambda: ask(read_document(lambda document: read(AskJob, document))))


if __name__ == "__main__":
    sys.exit(main())
