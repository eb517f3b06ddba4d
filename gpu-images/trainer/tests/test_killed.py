"""A trainer that is killed at a random moment, whatever its method, reaches the same result in its next pod."""

import contextlib
import itertools
import json
import math
import os
import pathlib
import random
import re
import shutil
import signal
import tempfile
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any

import parents
import pytest
import tiny
from pods import Pod
from worlds import Factory, Place, World

from rune_trainer import checkpoint, publish, teaching
from rune_trainer.contract import Base, Exit
from rune_trainer.job import parse_job
from rune_trainer.settings import Shape

MOMENTS = int(os.environ.get("RUNE_TEST_MOMENTS", "3"))
"""Moments per method's run at which its trainer is killed; see gpu-images/README.md."""
SIGNALS = (signal.SIGKILL, signal.SIGTERM)


def warm(directory: pathlib.Path) -> Place:
    world = World(directory, epochs=4, warmStart={"adapter": "a"})
    shape = Shape(4, 8, tuple(tiny.MODULES))
    parent = parents.published(
        world.registry, Base(**world.document["base"]), "a", shape, parents.random_tensors(shape, 0, size=0.05)
    )
    world.document["adapters"] = [parent]
    world.document["output"]["parents"] = [{"name": "a", "digest": parent["digest"]}]
    return world


def generating(directory: pathlib.Path, each: str) -> Place:
    factory = Factory(directory)
    factory.asks_to_train(steps=1)
    code, made = factory.run()
    assert code == 0, made
    factory.registry.tags.clear()
    factory.asks_to_generate(made, each)
    factory.corpus(factory.lines[:4])
    return factory


def merging(directory: pathlib.Path, **section: Any) -> Place:
    family = parents.Family(directory)
    return Place(directory, family.registry, family.document(**section))


def control(directory: pathlib.Path) -> Place:
    family = parents.Family(directory)
    return Place(
        directory,
        family.registry,
        parents.document(directory, family.registry, family.base, "control", {"like": "b"}, family.adapters[1:]),
    )


JOBS: dict[str, Callable[[pathlib.Path], Place]] = {
    "sft": lambda directory: World(directory, epochs=4),
    "sft, Distillation": lambda directory: World(directory, epochs=4, objective="Distillation", topK=8),
    "sft, warmStart": warm,
    "hypernetwork": Factory,
    "generate, each Corpus": lambda directory: generating(directory, "Corpus"),
    "generate, each Session": lambda directory: generating(directory, "Session"),
    "merge": lambda directory: merging(directory, combine="Svd", weights=["0.5", "2"]),
    "merge, Search": lambda directory: merging(directory, search={"evaluations": 9}),
    "control": control,
}


@dataclass(frozen=True)
class Moment:
    """When a trainer is killed, and how."""

    sign: signal.Signals
    used: float
    """Seconds of CPU time, if it is no write."""
    write: int | None = None
    """Number of writes to the registry before it."""


@dataclass(frozen=True)
class Left:
    """The results of a run: the message of its last pod without its duration, its tags, and every new digest."""

    message: dict[str, Any]
    tags: dict[str, str]
    digests: frozenset[str]


class Trial:
    """Runs of one job, each with a separate registry and volume."""

    def __init__(self, place: Place, directory: pathlib.Path):
        self.place, self.directory, self.used, self.ended = place, directory, 0.0, list[int]()
        self.before = tuple(dict(kept) for kept in self.stores())
        self.states = dict[str, dict[str, Any]]()
        """Path in the volume → manifest of the checkpoint there, of every state of the run."""
        self.whole = self.undisturbed(every_steps=1)
        if any(manifest["looks"] for manifest in self.states.values()):
            self.whole = self.undisturbed()

    def stores(self) -> tuple[dict, dict, dict]:
        return self.place.registry.blobs, self.place.registry.manifests, self.place.registry.tags

    @contextlib.contextmanager
    def volume(self, every_steps: int = 3) -> Generator[pathlib.Path, None, None]:
        made = pathlib.Path(tempfile.mkdtemp(prefix="volume.", dir=self.directory))
        self.place.document["checkpoint"] = {"directory": str(made / "checkpoints"), "everySteps": every_steps}
        yield made
        for kept, was in zip(self.stores(), self.before, strict=True):
            kept.clear()
            kept.update(was)
        shutil.rmtree(made)

    def left(self) -> Left:
        message = json.loads(self.place.termination.read_text())
        (blobs, manifests, tags), (blobs_before, manifests_before, _) = self.stores(), self.before
        named = {tag: digest for tag, digest in tags.items() if tag != digest}
        return Left(
            {**message, "durationSeconds": 0},
            named,
            frozenset((*blobs, *manifests)) - {*blobs_before, *manifests_before},
        )

    def undisturbed(self, every_steps: int = 3) -> Left:
        """In this process. With a checkpoint after every step the checkpoints are the run's states; its artifact then
        shows more measurements, if its method makes any.
        """
        with self.volume(every_steps) as volume, pytest.MonkeyPatch.context() as patch:
            patch.setattr(checkpoint, "KEPT", 1000)
            patch.setattr(teaching, "SAVED_EVERY", 1)
            code, message = self.place.run()
            assert code == 0, message
            self.states = self.states or {
                str(path.relative_to(volume)): json.loads((path / checkpoint.MANIFEST).read_bytes())
                for path in volume.rglob("step-*")
            }
            return self.left()

    def length(self) -> tuple[float, int]:
        """(CPU seconds of a pod from start to exit, its writes to the registry)"""
        writes = []
        with self.volume() as volume:
            pod = Pod(self.place, volume)
            self.place.registry.on_write = lambda: writes.append(1)
            seconds = pod.work(math.inf)
            assert pod.end() == 0, pod.log.read_text()
            assert self.left() == self.whole
        self.place.registry.on_write = lambda: None
        self.used += seconds
        return seconds, len(writes)

    def strike(self, moment: Moment) -> None:
        """A pod that ends at this moment and one that continues from it, if there is still something to do."""
        with self.volume() as volume:
            pod = Pod(self.place, volume)
            if moment.write is not None:
                turns = itertools.count()
                self.place.registry.on_write = lambda: next(turns) == moment.write and pod.signal(moment.sign)
            self.used += pod.work(moment.used)
            if moment.write is None:
                pod.signal(moment.sign)
            self.used += pod.work(math.inf)
            code = pod.end()
            self.ended.append(code)
            self.place.registry.on_write = lambda: None
            check_checkpoints(volume, self.states)
            kept = kept_by(self.place, volume) if code == Exit.TERMINATED else 0
            if code != 0 or moment.sign == signal.SIGKILL:
                pod = Pod(self.place, volume)
                self.used += pod.work(math.inf)
                code = pod.end()
                check_checkpoints(volume, self.states)
                assert (
                    not kept or f"step {kept + 1}/" == re.findall("^step [0-9]+/", pod.log.read_text(), re.MULTILINE)[0]
                )
            assert code == 0, pod.log.read_text()
            assert self.left() == self.whole


def check_checkpoints(volume: pathlib.Path, states: dict[str, dict[str, Any]]) -> None:
    """Every checkpoint that the next pod could use is a state of the undisturbed run, bit for bit, with some of its
    measurements; one draft of an unfinished write may remain.
    """
    measured = [look for state in states.values() for look in state["looks"]]
    for path in volume.rglob("step-*"):
        manifest = path / checkpoint.MANIFEST
        if manifest.is_file() and checkpoint.read(path, (found := json.loads(manifest.read_bytes()))["run"]):
            assert {**found, "looks": []} == {**states[str(path.relative_to(volume))], "looks": []}
            assert all(look in measured for look in found["looks"])
    for directory in volume.glob("checkpoints/**"):
        assert len(list(directory.glob(".step-*"))) <= 1


def kept_by(place: Place, volume: pathlib.Path) -> int:
    """Number of steps that a stopped pod kept, by its own report; 0 if its method keeps none, or it hadn't begun."""
    if not place.termination.exists():
        return 0
    failure = json.loads(place.termination.read_text())["failure"]
    assert failure["reason"] == "Terminated"
    done = int(re.findall("([0-9]+) of", failure["message"])[0])
    if "goes on from there" not in failure["message"] or not done:
        return 0
    assert list(volume.rglob(f"step-{done:09d}")), failure["message"]
    return 0 if "the teacher" in failure["message"] else done


def moments_of(method: str, seconds: float, writes: int) -> Iterator[Moment]:
    """Each in a different part of an undisturbed run, or at one of its writes; the signals alternate."""
    draw = random.Random(method)
    for number in range(MOMENTS):
        sign = SIGNALS[number % len(SIGNALS)]
        if number % 3 == 2:
            yield Moment(sign, math.inf, draw.randrange(writes))
        else:
            yield Moment(sign, seconds * (number + draw.random()) / MOMENTS)


@pytest.mark.parametrize("method", JOBS)
def test_a_trainer_that_is_ended_at_any_moment_goes_on_to_the_one_result(method, tmp_path):
    place = JOBS[method](tmp_path)
    with contextlib.closing(place.registry):
        trial = Trial(place, tmp_path)
        assert set(trial.whole.tags) == {publish.tag_of(parse_job(place.document))}
        seconds, writes = trial.length()
        for moment in moments_of(method, seconds, writes):
            trial.strike(moment)
    print(
        f"{method}: {seconds:.2f} s and {writes} writes undisturbed; ended with {trial.ended}; {trial.used:.1f} s altogether"
    )
    assert set(trial.ended) <= {-signal.SIGKILL, Exit.TERMINATED, 0} and -signal.SIGKILL in trial.ended
