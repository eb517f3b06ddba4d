"""`python -m rune_trainer`: reads the job document, runs its method, writes the result, and exits by the pod
contract.
"""

import json
import os
import pathlib
import sys
from collections.abc import Callable
from typing import Any

from rune_trainer import (
    method_control,
    method_generate,
    method_hypernetwork,
    method_merge,
    method_sft,
    result,
    supervisor,
)
from rune_trainer.contract import SPEC_PATH, Exit, Job
from rune_trainer.errors import Ending, bad_input, ending_of
from rune_trainer.job import parse_job
from rune_trainer.mlflow import Tracker, parameters_of
from rune_trainer.progress import Reporter
from rune_trainer.runtime import Runtime

METHODS: dict[str, Callable[[Job, Runtime], dict[str, Any]]] = {
    "sft": method_sft.run,
    "hypernetwork": method_hypernetwork.run,
    "generate": method_generate.run,
    "merge": method_merge.run,
    "control": method_control.run,
}


def read_job() -> Job:
    path = pathlib.Path(os.environ.get("RUNE_SPEC", SPEC_PATH))
    try:
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise Ending(
            Exit.MISCONFIGURED,
            "SpecMissing",
            f"the job document could not be read: {error}; it is mounted from the run's ConfigMap",
        ) from error
    except ValueError as error:
        raise bad_input(f"{path} is not JSON: {error}") from error
    return parse_job(document)


def work(job: Job) -> dict[str, Any]:
    """Runs the job; the end is always reported to the tracker."""
    several = (job.workers or 1) > 1
    reporter, tracker = Reporter(None if several else job.nats, job.owner.uid), Tracker(job.mlflow)
    runtime = Runtime(reporter, tracker)
    runtime.heed_signals()
    tracker.start(
        f"{job.owner.name}-a{job.attempt}",
        parameters_of(job),
        {"rune.namespace": job.owner.namespace},
    )
    status, tags = "FAILED", dict[str, str]()
    try:
        method = METHODS[job.method]
        values = supervisor.run(method, job, runtime) if several else method(job, runtime)
        status, tags = "FINISHED", {"adapter_id": values["digest"]}
        return result.result_of({**values, "mlflowRunID": tracker.run_id})
    except Ending as ending:
        status = "KILLED" if ending.code == Exit.TERMINATED else "FAILED"
        tags["failure"] = ending.reason
        raise
    finally:
        tracker.end(status, tags)
        reporter.close()


def main() -> int:
    """The exit code."""
    try:
        result.leave(work(read_job()))
        return 0
    except Exception as error:
        ending = ending_of(error)
        print(f"{ending.reason}: {ending.message}", file=sys.stderr)
        result.leave(result.message_of(ending))
        return ending.code
