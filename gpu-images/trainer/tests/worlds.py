"""The environment of a trainer's pod."""

import json
import os
import pathlib
import subprocess
import sys
from typing import Any

import hyper_world
import pytest
import tiny

from rune_trainer.canonical import model_identity
from rune_trainer.contract import TRAINING_ANNOTATION
from rune_trainer.main import main

SOURCE = pathlib.Path(__file__).parent.parent / "src"


class Place:
    """A job, the registry that it names, and a place for each file that its pod would have."""

    def __init__(self, directory: pathlib.Path, registry: tiny.Registry, document: dict[str, Any]):
        self.directory, self.registry, self.document = directory, registry, document

    def start(self) -> subprocess.Popen:
        """As in a pod, in a separate process."""
        environment = {**os.environ, **self.environment(), "PYTHONPATH": str(SOURCE)}
        return subprocess.Popen(
            [sys.executable, "-m", "rune_trainer"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def environment(self) -> dict[str, str]:
        spec = tiny.dump(self.directory / "spec.json", self.document)
        return {"RUNE_SPEC": str(spec), "RUNE_TERMINATION_LOG": str(self.termination)}

    def run(self) -> tuple[int, dict]:
        """In this process, which has torch loaded already."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.environment().items():
                patch.setenv(name, value)
            code = main()
        return code, json.loads(self.termination.read_text())

    @property
    def termination(self) -> pathlib.Path:
        return self.directory / "termination"


class World(Place):
    """A staged base, a registry with a corpus, and a job of method `sft`."""

    def __init__(self, directory: pathlib.Path, **sft: object):
        registry = tiny.Registry()
        (directory / "base").mkdir()
        base = {"path": str(directory / "base"), "name": "tiny", "digest": tiny.model_directory(directory / "base")}
        corpus = [tiny.trajectory(n, [f"return {n}(x)"]) for n in ("pare", "hue", "weld", "mint")]
        trajectories = [{"repository": "rune/demo/trajectories", "digest": registry.add_trajectory(t)} for t in corpus]
        document = tiny.document(
            base=base,
            corpus={"trajectories": trajectories, "include": ["Programs"], "digest": "sha256:" + "1" * 64},
            checkpoint={"directory": str(directory / "checkpoints"), "everySteps": 10},
            registry={"url": registry.url, "tokenFile": str(directory / "token")},
        )
        document["sft"].update(sft)
        super().__init__(directory, registry, document)

    def template(self, text: str) -> None:
        """Gives the staged base another chat template."""
        (self.directory / "base" / "chat_template.jinja").write_text(text)
        self.document["base"]["digest"] = model_identity(self.directory / "base")


class Factory(World):
    """A world whose corpus is one artifact of many trajectories, and jobs of both methods on it."""

    def __init__(self, directory: pathlib.Path):
        super().__init__(directory)
        del self.document["sft"], self.document["output"]["scope"]
        self.lines = [{"trajectory": t} for t in hyper_world.trajectories()]
        self.asks_to_train()

    def corpus(self, lines: list[dict] | None = None) -> None:
        digest = self.registry.add_corpus(self.lines if lines is None else lines)
        self.document["corpus"]["trajectories"] = [{"repository": "rune/demo/trajectories", "digest": digest}]

    def asks_to_train(self, **changed: object) -> None:
        self.corpus()
        self.document |= {"method": "hypernetwork", "hypernetwork": {**hyper_world.SECTION, **changed}}
        self.document["owner"]["uid"] = "maker"
        for name in ("generate", "generator"):
            self.document.pop(name, None)

    def asks_to_generate(self, made: dict, each: str, **changed: object) -> None:
        self.document.pop("hypernetwork", None)
        reference = {"repository": made["repository"], "digest": made["digest"]}
        self.document |= {
            "method": "generate",
            "generate": {"hypernetwork": reference, "each": each, **changed},
            "generator": reference,
        }
        self.document["owner"]["uid"] = f"user-{each}"

    def manifest(self, digest: str) -> dict:
        return json.loads(self.registry.manifests[digest])

    def statistics(self, digest: str) -> dict[str, Any]:
        """By their names, as an artifact's annotations tell them."""
        annotations = self.manifest(digest).get("annotations", {})
        return {name.removeprefix(TRAINING_ANNOTATION): json.loads(text) for name, text in annotations.items()}

    def config(self, digest: str) -> dict:
        return json.loads(self.registry.blobs[self.manifest(digest)["config"]["digest"]])

    def files(self, digest: str) -> dict[str, bytes]:
        return {
            layer["annotations"]["org.opencontainers.image.title"]: self.registry.blobs[layer["digest"]]
            for layer in self.manifest(digest)["layers"]
        }
