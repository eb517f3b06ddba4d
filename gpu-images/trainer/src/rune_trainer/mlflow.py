"""Experiment tracking over MLflow's REST API. Tracking never fails a run: every error ends in one line on stderr."""

import json
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from rune_trainer.spec import Mlflow

TIMEOUT_SECONDS = 10
BATCH = 500
"""MLflow takes at most 1000 metrics in one call."""


class Tracker:
    """One MLflow run, or, with no server given or reached, nothing."""

    def __init__(self, where: Mlflow | None):
        self.where, self.run_id, self.pending = where, None, list[dict[str, Any]]()

    def start(self, name: str, parameters: dict[str, Any], tags: dict[str, str]) -> None:
        experiment = self.experiment()
        if experiment is None:
            return
        run = self.call("POST", "runs/create", {"experiment_id": experiment, "run_name": name, "start_time": now()})
        self.run_id = run["run"]["info"]["run_id"] if run else None
        self.log({"params": pairs(parameters), "tags": pairs(tags)})

    def metric(self, key: str, value: float, step: int) -> None:
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
        if found:
            return found["experiment"]["experiment_id"]
        made = self.call("POST", "experiments/create", {"name": self.where.experiment})
        return made["experiment_id"] if made else None

    def log(self, content: dict[str, Any]) -> None:
        if self.run_id and any(content.values()):
            self.call("POST", "runs/log-batch", {"run_id": self.run_id, **content})

    def call(self, method: str, path: str, body: dict[str, Any] | None = None, quiet: bool = False) -> dict[str, Any] | None:
        assert self.where
        url = f"{self.where.url.rstrip('/')}/api/2.0/mlflow/{path}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, {"content-type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
                return json.loads(answer.read() or b"{}")
        except (OSError, ValueError, urllib.error.URLError) as error:
            if not quiet:
                print(f"MLflow did not take {path.split('?')[0]} ({error}); the run goes on without it", file=sys.stderr, flush=True)
            return None


def now() -> int:
    return int(time.time() * 1000)


def pairs(values: dict[str, Any]) -> list[dict[str, str]]:
    return [{"key": key, "value": str(value)} for key, value in values.items()]
