"""A two-layer random Qwen2 with a small tokenizer, a job document, and a registry in memory: the basis of the tests."""

import copy
import hashlib
import http.server
import json
import pathlib
import threading
from collections.abc import Callable, Sequence
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

from rune_trainer.canonical import canonical, digest_of, model_identity
from rune_trainer.contract import Sft
from rune_trainer.job import parse_job

TEMPLATE = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
MODULES = ["down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj"]
STUB = "import tessera\n\ndef solve(x):\n"


def tokenizer() -> PreTrainedTokenizerFast:
    """One token per byte, and the two marks of the template."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    inner = Tokenizer(models.BPE({letter: i for i, letter in enumerate(alphabet)}, []))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    made = PreTrainedTokenizerFast(
        tokenizer_object=inner,
        eos_token="<|im_end|>",
        pad_token="<|im_end|>",
        additional_special_tokens=["<|im_start|>"],
    )
    made.chat_template = TEMPLATE
    return made


def model(seed: int = 0) -> Qwen2ForCausalLM:
    torch.manual_seed(seed)
    config = Qwen2Config(
        vocab_size=264,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        tie_word_embeddings=False,
    )
    return Qwen2ForCausalLM(config).eval().requires_grad_(False)


def model_directory(directory: pathlib.Path) -> str:
    """Writes model and tokenizer; returns the model's identity."""
    model().save_pretrained(directory)
    tokenizer().save_pretrained(directory)
    return model_identity(directory)


def executed(program: str, passed: bool, error: str = "") -> dict[str, Any]:
    execution = {"passed": passed, "outcome": "Passed" if passed else "Failed", "error": error, "durationSeconds": 0.1}
    return {
        "type": "executed",
        "n": 1,
        "epoch": 1,
        "time": "2026-01-01T00:00:00Z",
        "program": program,
        "execution": execution,
    }


def trajectory(
    name: str, passing: list[str], failing: Sequence[tuple[str, str]] = (), notes: Sequence[str] = ()
) -> dict[str, Any]:
    records = [executed(f"{STUB}    {body}", False, error) for body, error in failing]
    if notes:
        records.append(
            {"type": "reflected", "n": 2, "epoch": 1, "time": "2026-01-01T00:00:00Z", "round": 1, "notes": list(notes)}
        )
    records += [executed(f"{STUB}    {body}", True) for body in passing]
    task = {
        "id": name,
        "description": f"Write solve for {name}.",
        "tests": "assert True",
        "entryPoint": "solve",
        "stub": STUB,
    }
    return {
        "schema": "rune.dev/trajectory/v1",
        "session": {"namespace": "n", "name": name, "uid": name},
        "task": task,
        "scope": {},
        "outcome": "Solved" if passing else "Exhausted",
        "records": records,
    }


def sft(**changed: Any) -> Sft:
    """The settings of a complete job document."""
    settings = parse_job(document(**changed)).sft
    assert settings is not None
    return settings


def document(**changed: Any) -> dict[str, Any]:
    """A complete job document; `changed` replaces top-level fields."""
    digest = "sha256:" + "0" * 64
    return {
        "owner": {"kind": "TrainingRun", "namespace": "demo", "name": "learn", "uid": "1234"},
        "attempt": 1,
        "method": "sft",
        "sft": {
            "rank": 4,
            "alpha": 8,
            "targetModules": MODULES,
            "epochs": 2,
            "batchSize": 2,
            "learningRate": "0.01",
            "maxLength": 512,
            "precision": "Float32",
            "quantization": "None",
            "seed": 0,
        },
        "base": {"path": "/models/base", "name": "tiny", "digest": digest},
        "adapters": [],
        "corpus": {
            "trajectories": [{"repository": "rune/demo/trajectories", "digest": digest}],
            "include": ["Programs"],
            "digest": digest,
        },
        "output": {"repository": "rune/demo/adapters", "scope": {"project": "tessera"}, "generation": 0, "parents": []},
        "checkpoint": {"directory": "/checkpoints", "everySteps": 2},
        "registry": {"url": "http://127.0.0.1:1", "tokenFile": "/rune/credentials/registry-token"},
        **changed,
    }


def changed(document: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    """A copy with another value at `path`, such as `records.0.type`; without it if the value is `...`."""
    copied = copy.deepcopy(document)
    *parents, last = (int(name) if name.isdigit() else name for name in path.split("."))
    inner: Any = copied
    for name in parents:
        inner = inner[name]
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    return copied


class Registry:
    """An OCI registry in memory, as strict about digests as a real one. `requests` lists (method, path); `on_write` is called before anything is stored."""

    def __init__(self, token: str = ""):
        self.on_write: Callable[[], object] = lambda: None
        self.blobs, self.manifests, self.tags = dict[str, bytes](), dict[str, bytes](), dict[str, str]()
        self.token, self.requests, self.failures = token, list[tuple[str, str]](), 0
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, format: str, *args: Any) -> None: ...

            def answer(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
                self.send_response(status)
                for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def handle_request(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                outer.requests.append((self.command, self.path))
                if outer.failures:
                    outer.failures -= 1
                    self.answer(503)
                    return
                if outer.token and self.headers.get("Authorization") != f"Bearer {outer.token}":
                    self.answer(401)
                    return
                self.answer(*outer.respond(self.command, self.path, body))

            do_GET = do_HEAD = do_POST = do_PUT = handle_request

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def respond(self, method: str, path: str, body: bytes) -> tuple[Any, ...]:
        path, _, query = path.partition("?")
        reference = path.rsplit("/", 1)[1]
        if method == "PUT":
            self.on_write()
        if path.endswith("/blobs/uploads/"):
            return 202, b"", {"Location": f"{path}session?state=1"}
        if method == "PUT" and "/blobs/uploads/" in path:
            digest = query.partition("digest=")[2].replace("%3A", ":")
            if digest_of(body) != digest:
                return 400, b"digest"
            self.blobs[digest] = body
            return 201, b""
        if method == "PUT":
            self.manifests[digest_of(body)] = body
            self.tags[reference] = digest_of(body)
            return 201, b""
        found = (
            self.blobs.get(reference) if "/blobs/" in path else self.manifests.get(self.tags.get(reference, reference))
        )
        return (200, found) if found is not None else (404, b"")

    def add_trajectory(self, content: dict[str, Any]) -> str:
        """Stores it as an artifact and returns the manifest's digest."""
        return self.add_blob(canonical(content))

    def add_corpus(self, lines: list[dict[str, Any]]) -> str:
        """A corpus artifact of these lines."""
        return self.add_blob(
            b"".join(canonical(line) + b"\n" for line in lines), artifactType="application/vnd.rune.corpus.v1+json"
        )

    def add_blob(self, blob: bytes, **fields: str) -> str:
        self.blobs[digest_of(blob)] = blob
        return self.add_manifest(
            {"schemaVersion": 2, **fields, "layers": [{"mediaType": "x", "digest": digest_of(blob), "size": len(blob)}]}
        )

    def add_manifest(self, content: Any) -> str:
        manifest = canonical(content)
        self.manifests[digest_of(manifest)] = manifest
        return digest_of(manifest)

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def dump(path: pathlib.Path, value: Any) -> pathlib.Path:
    path.write_text(json.dumps(value))
    return path
