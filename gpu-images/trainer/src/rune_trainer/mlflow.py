"""Experiment tracking over MLflow's REST API. Tracking never fails a run: every error ends in one line on stderr."""

import dataclasses
import http.client
import json
import math
import sys
import time
import urllib.parse
import urllib.request
from typing import Any

from rune_trainer.contract import Job, Mlflow

TIMEOUT_SECONDS = 10
BATCH = 500
"""MLflow accepts at most 1000 metrics per call."""
MOST_PARAMETER_CHARACTERS = 500
"""Every version of MLflow accepts so many."""


class Tracker:
    """One MLflow run; does nothing if no server is configured or reachable."""

    def __init__(self, where: Mlflow | None, run_id: str | None = None):
        """`run_id` is that of a run which another process begins and ends."""
        self.where, self.pending = where, list[dict[str, Any]]()
        self.run_id = run_id

    def start(self, name: str, parameters: dict[str, Any], tags: dict[str, str]) -> None:
        experiment = self.experiment()
        if experiment is None:
            return
        run = self.call("POST", "runs/create", {"experiment_id": experiment, "run_name": name, "start_time": now()})
        self.run_id = text_at(run, "run", "info", "run_id")
        self.log({"params": pairs(parameters), "tags": pairs(tags)})

    def metric(self, key: str, value: float | None, step: int) -> None:
        """What is no number is left out: JSON has none of the kind, and a server refuses its whole batch."""
        if value is None or not math.isfinite(value):
            return
        self.pending.append({"key": key, "value": value, "timestamp": now(), "step": step})

    def flush(self) -> None:
        while self.pending:
            part, self.pending = self.pending[:BATCH], self.pending[BATCH:]
            self.log({"metrics": part})

    def end(self, status: str, tags: dict[str, str] | None = None) -> None:
        """`status` is FINISHED, FAILED or KILLED."""
        self.flush()
        self.log({"tags": pairs(tags or {})})
        if self.run_id:
            self.call("POST", "runs/update", {"run_id": self.run_id, "status": status, "end_time": now()})

    def experiment(self) -> str | None:
        if self.where is None:
            return None
        name = urllib.parse.quote(self.where.experiment)
        found = self.call("GET", f"experiments/get-by-name?experiment_name={name}", quiet=True)
        known = text_at(found, "experiment", "experiment_id")
        return known or text_at(
            self.call("POST", "experiments/create", {"name": self.where.experiment}), "experiment_id"
        )

    def log(self, content: dict[str, Any]) -> None:
        if self.run_id and any(content.values()):
            self.call("POST", "runs/log-batch", {"run_id": self.run_id, **content})

    def call(self, method: str, path: str, body: dict[str, Any] | None = None, quiet: bool = False) -> Any:
        """The server's answer, or None."""
        assert self.where
        url = f"{self.where.url.rstrip('/')}/api/2.0/mlflow/{path}"
        data = None if body is None else json.dumps(body).encode()
        try:
            request = urllib.request.Request(url, data, {"content-type": "application/json"}, method=method)
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
                return json.loads(answer.read() or b"{}")
        except (OSError, ValueError, http.client.HTTPException) as error:
            if not quiet:
                warn(path.split("?")[0], error)
            return None


def parameters_of(job: Job) -> dict[str, str]:
    """What the job is, and every setting of its method, such as `learning_rate`."""
    named = {
        "run_id": job.owner.uid,
        "phase": job.method,
        "attempt": job.attempt,
        "base": job.base.name,
        "base_digest": job.base.digest,
        **({"corpus": job.corpus.digest} if job.corpus else {}),
    }
    settings = {key: value for key, value in dataclasses.asdict(getattr(job, job.method)).items() if value is not None}
    return {key: str(value)[:MOST_PARAMETER_CHARACTERS] for key, value in {**settings, **named}.items()}


def text_at(answer: Any, *path: str) -> str | None:
    """The text at `path` of an answer; None, with a line on stderr, if the answer isn't MLflow's."""
    found = answer
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    if isinstance(found, str):
        return found
    if answer is not None:
        warn(".".join(path), "its answer has none")
    return None


def warn(what: str, why: object) -> None:
    print(f"MLflow did not take {what} ({why}); the run goes on without it", file=sys.stderr, flush=True)


def now() -> int:
    return int(time.time() * 1000)


def pairs(values: dict[str, Any]) -> list[dict[str, str]]:
    return [{"key": key, "value": str(value)} for key, value in values.items()]
