import http.server
import json
import threading
from typing import Any

import pytest

from rune_trainer.contract import AskJob, Exit
from rune_trainer.environment import ask
from rune_trainer.errors import Ending
from rune_trainer.parsing import read


class Server:
    """An OpenAI-compatible server with scripted answers, one per request."""

    def __init__(self, *answers: tuple[int, dict]):
        self.asked: list[dict] = []
        answers_left = list(answers)
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                server.asked.append(
                    {"path": self.path, **json.loads(self.rfile.read(int(self.headers["Content-Length"])))}
                )
                status, body = answers_left.pop(0)
                self.send_response(status)
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"


class Clock:
    """Sleeping takes no time."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def says(text: str) -> tuple[int, dict]:
    return 200, {"choices": [{"message": {"content": text}}]}


def question(url: str) -> AskJob:
    return read(
        AskJob,
        {
            "owner": {"kind": "EnvironmentCheck", "namespace": "demo", "name": "cluster", "uid": "1"},
            "url": url,
            "models": ["word-1", "base"],
            "question": "What is the password?",
            "maxTokens": 40,
            "seconds": 60,
        },
    )


def test_asks_each_model_greedily_by_its_name():
    server = Server(says("It is bokavu-tisemo."), says("I don't know."))
    assert ask.ask(question(server.url)) == {"answers": ["It is bokavu-tisemo.", "I don't know."]}
    assert [each["model"] for each in server.asked] == ["word-1", "base"]
    assert all(
        each["path"] == "/v1/chat/completions" and (each["temperature"], each["repetition_penalty"]) == (0, 1)
        for each in server.asked
    )


def test_asks_again_while_the_server_is_not_ready():
    server = Server((503, {"error": "the engine is unavailable"}), says("a"), says("b"))
    assert ask.ask(question(server.url), clock=Clock()) == {"answers": ["a", "b"]}


def test_gives_up_when_its_time_is_over_and_says_what_was_answered():
    server = Server(*[(503, {"error": "the engine is unavailable"})] * 40)
    with pytest.raises(Ending) as raised:
        ask.ask(question(server.url), clock=Clock())
    assert raised.value.code == Exit.UNAVAILABLE and "the engine is unavailable" in raised.value.message


def test_takes_a_refusal_for_an_answer():
    server = Server((404, {"error": {"message": "there is no model word-1 here"}}))
    with pytest.raises(Ending) as raised:
        ask.ask(question(server.url))
    assert raised.value.code == Exit.DATA_ERROR and "there is no model word-1 here" in raised.value.message


def test_says_what_answers_otherwise_than_such_a_server():
    server = Server((200, {"hello": "world"}))
    with pytest.raises(Ending) as raised:
        ask.ask(question(server.url))
    assert "isn't an OpenAI-compatible server" in raised.value.message


def test_holds_no_more_of_an_answer_than_a_termination_message_has_room_for():
    server = Server(says("a" * 5000), says("b"))
    assert len(ask.ask(question(server.url))["answers"][0]) < 900
