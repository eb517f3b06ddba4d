"""Data-parallel training in real processes, which are forked from one that has imported torch and joined by Gloo."""

import contextlib
import dataclasses
import functools
import json
import multiprocessing
import os
import pathlib
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import hyper_world
import pods
import pytest
import tiny
import torch
from safetensors.torch import load, save
from test_mlflow import Server
from worlds import Factory, World

from rune_trainer import adapter_io, hyper_training, sft, supervisor, teaching, workers
from rune_trainer.contract import Exit
from rune_trainer.corpus import rows_of
from rune_trainer.errors import Ending
from rune_trainer.examples import examples_of
from rune_trainer.functional import Pairs
from rune_trainer.job import parse_job
from rune_trainer.lessons import Lesson
from rune_trainer.mlflow import Tracker
from rune_trainer.model import add_lora
from rune_trainer.runtime import Runtime
from rune_trainer.trajectory import Item
from rune_trainer.workers import Several

TRAJECTORIES = [
    tiny.trajectory(name, [f"return {name}(x){' + 1' * more}"])
    for more, name in enumerate(("pare", "hue", "weld", "mint", "fold", "gild"))
]
EXAMPLES, _ = examples_of(tiny.tokenizer(), rows_of(TRAJECTORIES, ("Programs",)), 512)
SOON = 300
"""Seconds that a busy machine may take for what takes none; what hangs, hangs for longer."""


@pytest.fixture(autouse=True)
def forked(monkeypatch):
    """Workers that start in milliseconds, and the signal's handler as it was."""
    handler = signal.getsignal(signal.SIGTERM)
    pods.serve()
    monkeypatch.setattr(supervisor, "START", pods.SERVER)
    yield
    signal.signal(signal.SIGTERM, handler)


def alone() -> Runtime:
    return Runtime(lambda _: None, Tracker(None))


def run(work: supervisor.Work, count: int, runtime: Runtime | None = None) -> dict[str, Any]:
    """The values of `work` in one process, or in the first of several."""
    job = parse_job(tiny.document(workers=count))
    runtime = runtime or alone()
    return work(job, runtime) if count == 1 else supervisor.run(work, job, runtime)


def ending_of(work: supervisor.Work, count: int = 2) -> Ending:
    started = time.monotonic()
    with pytest.raises(Ending) as ended:
        run(work, count)
    assert time.monotonic() - started < SOON
    return ended.value


def difference(one: bytes, other: bytes) -> float:
    """Of all tensors together, relative to their norm."""
    ours, theirs = load(one), load(other)
    assert ours.keys() == theirs.keys()
    apart = torch.stack([(ours[name] - theirs[name]).norm() for name in ours]).norm()
    return (apart / torch.stack([t.norm() for t in theirs.values()]).norm()).item()


def fine_tuned(
    _: Any, runtime: Runtime, directory: pathlib.Path, stop_after: int | None = None, **changed: Any
) -> dict:
    done, settings = [], dataclasses.replace(tiny.sft(), **changed)

    def stopping() -> bool:  # one of them is asked, and all stop
        return runtime.workers.first and stop_after is not None and len(done) >= stop_after

    model = add_lora(tiny.model(), settings)
    outcome = sft.train(
        model, EXAMPLES, settings, sft.Run(directory, {"uid": "one"}, 2, stopping, done.append, runtime.workers)
    )
    return {
        "losses": outcome.losses,
        "looks": outcome.looks,
        "tensors": save(adapter_io.weights_of(model, torch.float32)),
    }


@pytest.mark.parametrize(("count", "batch"), [(2, 4), (3, 2)])
def test_an_adapter_is_the_same_up_to_rounding_whatever_the_number_of_processes(tmp_path, count, batch):
    one, several = (
        run(functools.partial(fine_tuned, directory=tmp_path / str(n), batch_size=batch), n) for n in (1, count)
    )
    assert several["losses"] == pytest.approx(one["losses"], rel=1e-4)
    assert [look.step for look in several["looks"]] == [look.step for look in one["looks"]]
    assert 0 < difference(several["tensors"], one["tensors"]) < 1e-3


def test_a_run_of_two_processes_goes_on_bit_for_bit_in_two_and_goes_on_in_one(tmp_path):
    part = functools.partial(fine_tuned, directory=tmp_path / "parts")
    whole = run(functools.partial(fine_tuned, directory=tmp_path / "whole"), 2)
    stopped = ending_of(functools.partial(part, stop_after=3))
    assert (stopped.code, stopped.reason) == (Exit.TERMINATED, "Terminated") and "3 of 6" in stopped.message
    shutil.copytree(tmp_path / "parts", tmp_path / "one")
    assert run(part, 2) == whole
    in_one = run(functools.partial(fine_tuned, directory=tmp_path / "one"), 1)
    assert in_one["losses"] == pytest.approx(whole["losses"], rel=1e-4)
    assert difference(in_one["tensors"], whole["tensors"]) < 1e-3


def taught(_: Any, runtime: Runtime, directory: pathlib.Path) -> dict:
    lessons = teaching.lessons_of(tiny.tokenizer(), [Item(t) for t in TRAJECTORIES], ("Programs",), EXAMPLES, 4096)
    said = teaching.teach(tiny.model(), lessons, 8, sft.Run(directory, {}, 1, workers=runtime.workers))
    every = runtime.workers.gather([[each.log_probabilities.tolist() for each in said.values()]])
    assert all(each == every[0] for each in every)
    return {"said": every[0]}


def test_the_teacher_says_the_same_in_four_processes_of_which_two_come_a_lesson_short(tmp_path):
    assert run(functools.partial(taught, directory=tmp_path / "4"), 4) == run(
        functools.partial(taught, directory=tmp_path / "1"), 1
    )


def adapters_of(training: hyper_training.Training, lessons: list[Lesson]) -> Pairs:
    """Any, but each lesson's own."""
    draws = [torch.Generator().manual_seed(lesson.number) for lesson in lessons]
    return {
        path: (
            torch.stack([torch.randn(a.shape[1:], generator=draw) for draw in draws]),
            torch.stack([torch.randn(b.shape[1:], generator=draw) for draw in draws]),
        )
        for path, (a, b) in training.network.static().items()
    }


def gradients(_: Any, runtime: Runtime, reconstruction: bool = False, **changed: Any) -> dict:
    """The loss and the gradient of one step, of a network that has learnt something."""
    training = hyper_world.training_of(hyper_world.settings_of(**changed))
    torch.manual_seed(1)
    with torch.no_grad():
        for p in training.network.parameters():
            p.add_(0.1 * torch.randn_like(p))
    if reconstruction:
        training.wanted = functools.partial(adapters_of, training)
    draws = hyper_training.draws_of(training.lessons, training.settings, 0)
    loss = hyper_training.step_loss(training, draws, runtime.workers)
    return {"loss": loss, "gradients": save({name: p.grad for name, p in training.network.named_parameters()})}


@pytest.mark.parametrize(
    ("count", "step"),
    [
        (2, {"objective": "Distillation", "batchSize": 5, "diversityWeight": "3", "chunkTokens": 64, "maxChunks": 4}),
        (3, {"objective": "CrossEntropy", "batchSize": 2, "diversityWeight": "3"}),
        (2, {"reconstruction": True, "batchSize": 3}),
    ],
)
def test_a_step_of_a_hypernetwork_has_the_same_gradient_whatever_the_number_of_processes(count, step):
    one, several = (run(functools.partial(gradients, **step), n) for n in (1, count))
    assert several["loss"] == pytest.approx(one["loss"], rel=1e-5)
    assert difference(several["gradients"], one["gradients"]) < 1e-4


def watched(_: Any, runtime: Runtime, directory: pathlib.Path, limit: str) -> dict:
    """Measures after every second step; the first worker alone has something to measure by."""
    stop = {"afterPercent": 50, "cosineDiversityBelow": "0", "rightMinusWrongBelow": limit}
    training = hyper_world.training_of(hyper_world.settings_of(steps=4, stop=stop, objective="CrossEntropy"))
    if not runtime.workers.first:
        del training.watch
    told = []
    outcome = hyper_training.train(
        training, sft.Run(directory, {}, 2, workers=runtime.workers), lambda *each: told.append(each)
    )
    ends = runtime.workers.gather([(len(outcome.losses), outcome.collapsed, len(told))])
    assert len(set(ends)) == 1
    return {"steps": ends[0][0], "collapsed": ends[0][1], "losses": outcome.losses}


def test_an_alarm_ends_all_processes_after_the_same_step_as_one(tmp_path):
    one, several = (run(functools.partial(watched, directory=tmp_path / str(n), limit="100"), n) for n in (1, 2))
    assert several["steps"] == one["steps"] == 2
    assert "another trajectory's adapter serves as well" in several["collapsed"]
    assert several["losses"] == pytest.approx(one["losses"], rel=1e-5)


def killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def refused() -> None:
    raise Ending(Exit.BAD_INPUT, "NotFinite", "training diverged")


def failed() -> None:
    raise LookupError("nobody foresaw it")


@dataclasses.dataclass(frozen=True)
class Calling:
    """Something happens in one process, and the others wait for it."""

    number: int
    happens: Callable[[], None]
    then: float = 0

    def __call__(self, _: Any, runtime: Runtime) -> dict:
        if runtime.workers.number == self.number:
            self.happens()
        time.sleep(self.then)
        runtime.workers.any(False)
        return {}


@pytest.mark.parametrize(
    ("number", "happens", "code", "reason", "said"),
    [
        (1, killed, 1, "OutOfMemory", "process 2 of 3 (on cpu) was killed, most likely because the pod's memory"),
        (0, killed, 1, "OutOfMemory", "process 1 of 3"),
        (2, refused, Exit.BAD_INPUT, "NotFinite", "training diverged"),
        (1, failed, 1, "Unexpected", "LookupError: nobody foresaw it"),
    ],
)
def test_what_ends_one_process_ends_all_soon_and_in_its_words(number, happens, code, reason, said):
    ended = ending_of(Calling(number, happens), 3)
    assert (ended.code, ended.reason) == (code, reason) and said in ended.message


def test_a_process_that_ends_without_a_word_is_named_with_how_it_ended():
    team = supervisor.Team(alone())
    for code in (-signal.SIGSEGV, 3):
        process: Any = SimpleNamespace(join=lambda: None, exitcode=code)
        team.workers.append(supervisor.Worker(process, pods.SERVER.Pipe()[0], torch.device("cuda", len(team.workers))))
    ended = [team.death_of(worker).message for worker in team.workers]
    assert "process 1 of 2 (on cuda:0) ended by signal SIGSEGV" in ended[0]
    assert "process 2 of 2 (on cuda:1) ended by exit code 3" in ended[1]


def test_a_process_that_hangs_after_another_failed_is_killed(monkeypatch):
    monkeypatch.setattr(supervisor, "GRACE_SECONDS", 0.2)
    assert ending_of(Calling(1, refused, then=10 * SOON)).reason == "NotFinite"


def everywhere(_: Any, runtime: Runtime) -> dict:
    with pytest.raises(Ending) as ended:
        runtime.workers.once(refused)
    return {"reasons": runtime.workers.gather([(ended.value.code, ended.value.reason, ended.value.message)])}


def test_what_the_first_process_refuses_is_refused_in_all():
    assert run(everywhere, 2)["reasons"] == [(Exit.BAD_INPUT, "NotFinite", "training diverged")] * 2


def drifted(_: Any, runtime: Runtime, by: float) -> dict:
    weights = [torch.ones(3), torch.tensor(float("nan"))]
    weights[0][2] += by * runtime.workers.number
    runtime.workers.check_equal(7, weights)
    return {}


def test_weights_that_differ_in_one_bit_end_the_run():
    assert run(functools.partial(drifted, by=0.0), 2) == {}
    ended = ending_of(functools.partial(drifted, by=2**-23))
    assert (ended.code, ended.reason) == (1, "Unexpected") and "don't have the same weights" in ended.message


def test_a_trainer_that_is_stopped_while_its_processes_start_ends_at_once(monkeypatch):
    added = supervisor.Team.add

    def add(team: supervisor.Team, *given: Any) -> None:
        added(team, *given)
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(supervisor.Team, "add", add)
    ended = ending_of(Calling(0, failed))
    assert (ended.code, ended.reason) == (Exit.TERMINATED, "Terminated")


def lasting(_: Any, runtime: Runtime, directory: pathlib.Path) -> dict:
    (directory / f"pid-{runtime.workers.number}").write_text(str(os.getpid()))
    time.sleep(10 * SOON)
    return {}


def supervising(directory: pathlib.Path) -> None:
    supervisor.START = multiprocessing.get_context("fork")  # another fork server would import everything again
    run(functools.partial(lasting, directory=directory), 2)


def test_no_process_outlives_the_one_that_started_it(tmp_path):
    parent = pods.SERVER.Process(target=supervising, args=(tmp_path,))
    parent.start()
    eventually(lambda: len([path for path in tmp_path.glob("pid-*") if path.read_text()]) == 2)
    parent.kill()
    pids = [int(path.read_text()) for path in tmp_path.glob("pid-*")]
    eventually(lambda: not any(pathlib.Path(f"/proc/{pid}").exists() for pid in pids))
    parent.join()


def eventually(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + SOON
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.fixture
def tracked() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.http.serve_forever)
    thread.start()
    yield server
    server.http.shutdown()
    thread.join()
    server.http.server_close()


@pytest.mark.parametrize("place", [World, Factory])
def test_the_first_process_alone_publishes_and_tells_the_tracker_and_its_result_is_the_run_s(tmp_path, tracked, place):
    results, writes, asked = [], [], []
    for count in (1, 2):
        (tmp_path / str(count)).mkdir()
        with contextlib.closing((world := place(tmp_path / str(count))).registry):
            world.document |= {"workers": count, "mlflow": {"url": tracked.where.url, "experiment": "e"}}
            before = set(world.registry.manifests)
            code, message = world.run()
            assert code == 0, message
            assert set(world.registry.manifests) - before == {message["digest"]}
            results.append(message)
            asked.append(tracked.asked.copy())
            tracked.asked.clear()
            writes.append(sum(method == "PUT" for method, _ in world.registry.requests))
    one, two = results
    assert writes[0] == writes[1]
    assert asked[0] == asked[1] and asked[1].count("runs/create") == asked[1].count("runs/update") == 1
    assert two["trainingLoss"] == pytest.approx(one["trainingLoss"], rel=1e-3)
    assert [two[name] for name in ("steps", "examples")] == [one[name] for name in ("steps", "examples")]


def test_sigterm_ends_a_trainer_of_two_processes_with_one_checkpoint_from_which_it_goes_on(tmp_path):
    """The real program, whose processes import everything again."""
    world = World(tmp_path, epochs=40)
    with contextlib.closing(world.registry):
        world.document |= {"workers": 2, "checkpoint": {"directory": str(tmp_path / "checkpoints"), "everySteps": 1}}
        process = world.start()
        while not list((tmp_path / "checkpoints").glob("step-*")):
            assert process.poll() is None, process.stdout and process.stdout.read()
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=SOON)
        assert process.returncode == Exit.TERMINATED, output
        failure = json.loads(world.termination.read_text())["failure"]
        assert failure["reason"] == "Terminated" and "the next attempt goes on from there" in failure["message"]
        assert output.count("the corpus has") == 1
        assert not world.registry.tags
        code, message = world.run()
        assert (code, message["steps"], len(world.registry.tags)) == (0, 80, 1)


@pytest.mark.parametrize(
    ("count", "costs", "shares"),
    [
        (2, [5, 1, 1, 1, 1], [[0], [1, 2, 3, 4]]),
        (2, [1, 2, 3, 4], [[0, 3], [1, 2]]),
        (3, [7, 7], [[0], [1], []]),
        (4, [], [[], [], [], []]),
        (1, [3, 9], [[0, 1]]),
    ],
)
def test_a_batch_is_divided_by_its_tokens(count, costs, shares):
    assert [Several(n, count, torch.device("cpu")).share(costs) for n in range(count)] == shares
    assert workers.ALONE.share(costs) == list(range(len(costs)))


def test_gradients_are_exchanged_in_groups_of_bounded_size(monkeypatch):
    monkeypatch.setattr(workers, "BUCKET_ELEMENTS", 10)
    sizes = [[t.numel() for t in part] for part in workers.buckets([torch.ones(n) for n in (4, 6, 1, 30, 2)])]
    assert sizes == [[4, 6], [1], [30], [2]]


def test_each_process_has_a_gpu_of_its_own_or_the_cpu(monkeypatch):
    for visible, names in ((0, ["cpu", "cpu"]), (2, ["cuda:0", "cuda:1"]), (4, ["cuda:0", "cuda:1"])):
        monkeypatch.setattr(torch.cuda, "device_count", lambda visible=visible: visible)
        assert [str(device) for device in supervisor.devices_for(2)] == names
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(Ending, match="asks for 2 GPUs, and torch sees 1") as ended:
        supervisor.devices_for(2)
    assert (ended.value.code, ended.value.reason) == (Exit.MISCONFIGURED, "GPUsMissing")
