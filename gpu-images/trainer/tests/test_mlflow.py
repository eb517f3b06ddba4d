import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
import tiny

from rune_trainer.contract import Mlflow
from rune_trainer.job import parse_job
from rune_trainer.mlflow import Tracker, parameters_of
from rune_trainer.runtime import Runtime

HONEST = {
    "get-by-name": b'{"experiment": {"experiment_id": "7"}}',
    "runs/create": b'{"run": {"info": {"run_id": "r1"}}}',
}


class Server:
    """An MLflow with scripted answers: by the end of the path, then for all."""

    def __init__(self):
        self.answers: dict[str, bytes] = dict(HONEST)
        self.otherwise = b"{}"
        self.missing = 0
        self.asked: list[str] = []
        self.metrics: dict[str, float] = {}
        self.http = HTTPServer(("127.0.0.1", 0), self.handler())
        self.where = Mlflow(url=f"http://127.0.0.1:{self.http.server_port}", experiment="e")

    def handler(server):  # the handler has its own self
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                path = self.path.partition("?")[0].removeprefix("/api/2.0/mlflow/")
                content = self.rfile.read(int(self.headers.get("content-length") or 0))
                told = json.loads(content or b"{}").get("metrics", [])
                server.metrics |= {metric["key"]: metric["value"] for metric in told}
                server.asked.append(path)
                body = next((answer for end, answer in server.answers.items() if path.endswith(end)), server.otherwise)
                self.send_response(200)
                self.send_header("content-length", str(len(body) + server.missing))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET

            def log_message(self, format: str, *args: Any) -> None:
                return

        return Handler


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.http.serve_forever)
    thread.start()
    yield server
    server.http.shutdown()
    thread.join()
    server.http.server_close()


def whole_run(where: Mlflow | None) -> str | None:
    tracker = Tracker(where)
    tracker.start("run", {"rank": 4}, {"owner": "o"})
    tracker.metric("loss", 1.5, 1)
    tracker.end("FINISHED", {"digest": "d"})
    return tracker.run_id


def test_a_run_is_told_from_its_start_to_its_end(server, capsys):
    assert whole_run(server.where) == "r1"
    assert server.asked == ["experiments/get-by-name", "runs/create", *["runs/log-batch"] * 3, "runs/update"]
    assert capsys.readouterr().err == ""


def test_a_run_s_parameters_say_what_was_trained_and_how():
    told = parameters_of(parse_job(tiny.document()))
    digest = "sha256:" + "0" * 64
    assert {
        "run_id": "1234",
        "phase": "sft",
        "attempt": "1",
        "base": "tiny",
        "base_digest": digest,
        "corpus": digest,
        "rank": "4",
        "alpha": "8",
        "epochs": "2",
        "batch_size": "2",
        "learning_rate": "0.01",
        "seed": "0",
    }.items() <= told.items()
    assert "warm_start" not in told


@pytest.mark.parametrize("value", [float("nan"), float("inf"), None])
def test_what_is_no_number_costs_the_other_metrics_of_its_batch_nothing(server, value):
    tracker = Tracker(server.where)
    tracker.start("run", {}, {})
    tracker.metric("effective_rank", value, 1)
    tracker.metric("loss", 1.5, 1)
    tracker.flush()
    assert server.metrics == {"loss": 1.5}


def test_a_parameter_is_no_longer_than_mlflow_takes():
    long = tiny.document()
    long["sft"]["targetModules"] = [f"{'m' * 60}{number:03}" for number in range(32)]
    assert len(parameters_of(parse_job(long))["target_modules"]) == 500


def test_what_a_corpus_is_like_is_told_before_the_training_begins(server):
    tracker = Tracker(server.where)
    tracker.start("run", {}, {})
    corpus = {"distinctTasks": 50, "failureModes": 4, "corrections": 31, "droppedPercent": 12.5}
    Runtime(lambda _: None, tracker).track_corpus(corpus)
    assert server.metrics == {"distinct_tasks": 50, "failure_modes": 4, "corrections": 31, "dropped_percent": 12.5}


@pytest.mark.parametrize(
    "odd",
    [
        b"",
        b"[]",
        b'"text"',
        b"7",
        b'{"run": null}',
        b'{"run": {"info": []}}',
        b'{"run": {"info": {"run_id": 7}}}',
        b"<html>",
        b"\xff",
    ],
)
def test_an_odd_answer_costs_the_report_and_not_the_run(server, capsys, odd):
    server.answers = {"get-by-name": HONEST["get-by-name"]}
    server.otherwise = odd
    assert whole_run(server.where) is None
    assert "the run goes on without it" in capsys.readouterr().err


@pytest.mark.parametrize("odd", [b"[]", b'{"experiment": "none"}', b"null"])
def test_an_odd_experiment_is_made_anew(server, odd):
    server.answers = {**HONEST, "get-by-name": odd, "experiments/create": b'{"experiment_id": "8"}'}
    assert whole_run(server.where) == "r1"


def test_an_answer_that_ends_early_costs_the_report_and_not_the_run(server, capsys):
    server.missing = 10
    assert whole_run(server.where) is None
    assert "IncompleteRead" in capsys.readouterr().err


def test_a_connection_that_breaks_in_the_middle_costs_the_rest_of_the_report(server, capsys):
    tracker = Tracker(server.where)
    tracker.start("run", {}, {})
    server.missing = 10
    tracker.metric("loss", 1.5, 1)
    tracker.end("FAILED")
    assert tracker.run_id == "r1"
    assert "MLflow did not take runs/log-batch" in capsys.readouterr().err


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "no url", "http://[", "ftp://"])
def test_a_server_that_is_away_or_no_server_is_done_without(capsys, url):
    assert whole_run(Mlflow(url=url, experiment="e")) is None
    assert "the run goes on without it" in capsys.readouterr().err
    assert whole_run(None) is None
