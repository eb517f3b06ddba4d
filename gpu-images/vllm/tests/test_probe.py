import http.server
import json
import pathlib
import subprocess
import sys
import threading
import time

import pytest

PROBE = pathlib.Path(__file__).parent.parent / "probe.py"


class Engine:
    """Answers as vLLM's API does; `hang` blocks completions, as when a pipeline rank has died."""

    def __init__(self):
        self.tokens, self.hang, self.asked = 10, False, list[dict]()
        self.released, outer = threading.Event(), self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, format: str, *args: object) -> None: ...

            def answer(self, body: bytes):
                self.send_response(200)
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                models = {"data": [{"id": "adapter", "parent": "base"}, {"id": "base", "parent": None}]}
                self.answer(
                    json.dumps(models).encode()
                    if self.path == "/v1/models"
                    else f'vllm:generation_tokens_total{{engine="0"}} {outer.tokens}.0\n'.encode()
                )

            def do_POST(self):
                outer.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                if outer.hang:
                    outer.released.wait(10)
                    return
                self.answer(b'{"usage": {"completion_tokens": 1}}')

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.released.set()
        self.server.shutdown()


@pytest.fixture
def engine():
    made = Engine()
    yield made
    made.close()


def probe(port: int, memory: pathlib.Path, deadline: float = 1, loader: int = 1) -> subprocess.CompletedProcess:
    command = [sys.executable, str(PROBE), "--port", str(port), "--deadline", str(deadline), "--loader", str(loader)]
    return subprocess.run(command, check=False, env={"TMPDIR": str(memory)}, capture_output=True, text=True, timeout=20)


@pytest.fixture
def loader():
    class Handler(http.server.BaseHTTPRequestHandler):
        spoilt = b""

        def log_message(self, format: str, *args: object) -> None: ...

        def do_GET(self):
            self.send_response(200 if self.path == "/spoilt" and self.spoilt else 404)
            self.end_headers()
            self.wfile.write(self.spoilt)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


def test_an_engine_that_the_loader_calls_spoilt_is_not_alive(engine, loader, tmp_path):
    port = loader.server_port
    assert probe(engine.server.server_port, tmp_path, loader=port).returncode == 0
    loader.RequestHandlerClass.spoilt = b"the base answers nothing any more"
    failed = probe(engine.server.server_port, tmp_path, loader=port)
    assert failed.returncode == 1
    assert "the base answers nothing any more" in failed.stderr


def test_a_loader_that_is_away_has_no_say(engine, tmp_path):
    assert probe(engine.server.server_port, tmp_path, loader=1).returncode == 0


def test_one_token_from_the_base_is_life(engine, tmp_path):
    assert probe(engine.server.server_port, tmp_path).returncode == 0
    assert (engine.asked[0]["model"], engine.asked[0]["max_tokens"]) == ("base", 1)


def test_an_engine_whose_requests_hang_is_dead_within_the_deadline(engine, tmp_path):
    engine.hang = True
    started = time.monotonic()
    done = probe(engine.server.server_port, tmp_path)
    assert done.returncode == 1
    assert "did not complete one token within 1 s" in done.stderr
    assert time.monotonic() - started < 4


def test_an_engine_that_is_busy_with_others_is_alive(engine, tmp_path):
    engine.hang = True
    probe(engine.server.server_port, tmp_path)
    engine.tokens += 50
    assert probe(engine.server.server_port, tmp_path).returncode == 0
    assert probe(engine.server.server_port, tmp_path).returncode == 1


def test_no_engine_is_no_life(tmp_path):
    assert probe(1, tmp_path).returncode == 1
