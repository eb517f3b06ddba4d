"""Distillation and warm start of method `sft`."""

import dataclasses
import json

import parents
import pytest
import tiny
import torch
from safetensors.torch import load

from rune_trainer import main, sft, teaching, training_data
from rune_trainer.contract import Exit
from rune_trainer.corpus import rows_of
from rune_trainer.distillation import divergence, kept_of
from rune_trainer.errors import Ending
from rune_trainer.examples import examples_of
from rune_trainer.grouping import PROBES, Grouping
from rune_trainer.job import parse_job
from rune_trainer.mlflow import Tracker
from rune_trainer.model import add_lora
from rune_trainer.runtime import Runtime
from rune_trainer.settings import Shape
from rune_trainer.trajectory import Item

TOKENIZER = tiny.tokenizer()
TRAJECTORIES = [
    tiny.trajectory(n, [f"return {n}(x)"], [(f"return bad_{n}(x)", "NameError")])
    for n in ("pare", "hue", "weld", "mint")
]
ITEMS = [Item(t) for t in TRAJECTORIES]
EXAMPLES, _ = examples_of(TOKENIZER, rows_of(TRAJECTORIES, ("Programs",)), 512)
SETTINGS = tiny.sft()


def lessons(window: int = 4096) -> list[teaching.Lesson]:
    return teaching.lessons_of(TOKENIZER, ITEMS, ("Programs",), EXAMPLES, window)


def run_in(directory, stop_after=None, every=1):
    calls = []
    return sft.Run(
        directory,
        {"uid": "one"},
        every,
        lambda: stop_after is not None and calls.append(1) is None and len(calls) > stop_after,
    )


def words(ids) -> str:
    return TOKENIZER.decode(ids)


def test_the_teacher_reads_the_example_s_own_trajectory_and_says_the_very_answer():
    for lesson, name in zip(lessons(), ("pare", "hue", "weld", "mint"), strict=True):
        assert f"bad_{name}(x)" in words(lesson.teacher.head) and "Attempt:" in words(lesson.teacher.head)
        assert lesson.teacher.head[-20:] == lesson.student.head[-20:]
        assert lesson.teacher.tail == lesson.student.tail
        assert not any(
            f"bad_{other}" in words(lesson.teacher.head) for other in {"pare", "hue", "weld", "mint"} - {name}
        )


def test_the_student_never_sees_a_token_of_a_trajectory(tmp_path):
    base = tiny.model()
    said = teaching.teach(base, lessons(), 16, run_in(tmp_path / "teacher"))
    model, seen = add_lora(base, SETTINGS), []
    model.register_forward_pre_hook(
        lambda _, __, kwargs: seen.append(words(kwargs["input_ids"][0].tolist())), with_kwargs=True
    )
    sft.train(model, EXAMPLES, SETTINGS, run_in(tmp_path / "student"), teaching.distance(said))
    assert len(seen) == len(PROBES) + 1 + 4  # before the steps, what `packs_well` tries
    assert not any("Attempt:" in text or "bad_" in text for text in seen)


def test_training_moves_the_student_towards_the_teacher(tmp_path):
    base = tiny.model()
    said = teaching.teach(base, lessons(), 16, run_in(tmp_path / "teacher"))
    done = sft.train(
        add_lora(base, SETTINGS),
        EXAMPLES,
        dataclasses.replace(SETTINGS, epochs=8),
        run_in(tmp_path / "student"),
        teaching.distance(said),
    )
    assert done.losses[-1] < 0.7 * done.losses[0]


def test_the_loss_of_a_batch_is_the_mean_divergence_over_its_tokens(tmp_path):
    base = tiny.model()
    said = teaching.teach(base, lessons(), 264, run_in(tmp_path))
    with torch.no_grad():
        apart = sum(
            divergence(said[e], base(torch.tensor([[*e.head, *e.tail]])).logits[0, len(e.head) - 1 : -1]).item()
            for e in EXAMPLES
        )
    student = add_lora(base, SETTINGS)
    loss = sft.batch_loss(student, EXAMPLES, Grouping.of(student), teaching.distance(said))
    assert loss == pytest.approx(apart / sum(len(e.tail) for e in EXAMPLES), rel=1e-2)
    exact = torch.distributions.kl_divergence
    logits, others = torch.randn(3, 9), torch.randn(3, 9)
    assert divergence(kept_of(logits, 9), others).item() == pytest.approx(
        exact(torch.distributions.Categorical(logits=logits), torch.distributions.Categorical(logits=others))
        .sum()
        .item(),
        rel=1e-4,
    )


def test_the_teacher_is_asked_once_also_over_a_restart(tmp_path):
    base, asked = tiny.model(), []
    base.register_forward_pre_hook(lambda *_: asked.append(1))
    with pytest.raises(Ending) as ended:
        teaching.teach(base, lessons(), 16, run_in(tmp_path, stop_after=2))
    assert (ended.value.code, len(asked)) == (Exit.TERMINATED, 2)
    said = teaching.teach(base, lessons(), 16, run_in(tmp_path))
    again = teaching.teach(base, lessons(), 16, run_in(tmp_path))
    assert len(asked) == 4
    assert all(
        torch.equal(said[e].tokens, again[e].tokens)
        and torch.equal(said[e].log_probabilities, again[e].log_probabilities)
        for e in EXAMPLES
    )


def test_a_long_trajectory_loses_its_failed_attempts_in_the_teacher_s_context():
    short = lessons(window=max(map(len, EXAMPLES)) + 130)
    assert all("bad_" not in words(lesson.teacher.head) and "Passed" in words(lesson.teacher.head) for lesson in short)


def test_an_attempt_that_does_not_fit_keeps_its_end_in_the_teacher_s_context():
    row = rows_of(TRAJECTORIES, ("Programs",))[0]
    teacher = teaching.taught_by(TOKENIZER, row, EXAMPLES[0], ITEMS[0], 40)
    assert len(teacher.head) <= max(len(e.head) for e in EXAMPLES) + 40 + len("\n\n")
    assert "Passed" in words(teacher.head) and "Task:" not in words(teacher.head)


def test_a_window_without_room_for_a_trajectory_is_refused():
    with pytest.raises(Ending, match=r"sft.maxLength leaves 10 tokens"):
        lessons(window=max(map(len, EXAMPLES)) + 10)


def test_a_teacher_that_answers_nan_ends_the_run(tmp_path):
    base = tiny.model()
    with torch.no_grad():
        base.model.norm.weight.fill_(float("nan"))
    with pytest.raises(Ending) as ended:
        teaching.teach(base, lessons(), 16, run_in(tmp_path))
    assert (ended.value.code, ended.value.reason) == (Exit.BAD_INPUT, "NotFinite")


SHAPE = Shape(4, 8, ("q_proj",))


class World:
    """A corpus, and an adapter to start from."""

    def __init__(self, directory):
        self.directory, self.registry = directory, tiny.Registry()
        self.base = parents.staged(directory)
        self.tensors = parents.random_tensors(SHAPE, 0, size=0.05)
        self.parent = parents.published(
            self.registry,
            self.base,
            "a",
            SHAPE,
            self.tensors,
            training_data.of_tasks(["sha256:" + "7" * 64], [{"id": "old", "description": "d", "tests": "t"}]),
        )
        self.trajectories = [
            {"repository": "rune/demo/trajectories", "digest": self.registry.add_trajectory(t)} for t in TRAJECTORIES
        ]

    def run(self, **section):
        self.registry.tags.clear()
        settings = {"rank": 4, "alpha": 8, "targetModules": ["q_proj"], "epochs": 1, "precision": "Float32", **section}
        used = [self.parent] if "warmStart" in settings else []
        corpus = {"trajectories": self.trajectories, "include": ["Programs"], "digest": "sha256:" + "1" * 64}
        document = parents.document(self.directory, self.registry, self.base, "sft", settings, used, corpus=corpus)
        return main.METHODS["sft"](parse_job(document), Runtime(lambda _: None, Tracker(None)))


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    yield made
    made.registry.close()


def test_a_warm_start_goes_on_from_the_adapter_s_weights_and_from_what_it_knew(world):
    result = world.run(warmStart={"adapter": "a"}, learningRate="0.00000001")
    config, layers = parents.layers_at(world.registry, result["digest"])
    weights = load(layers["adapter_model.safetensors"])
    assert all(torch.allclose(weights[name], t, atol=1e-6) for name, t in world.tensors.items())
    assert (config["parents"], config["generation"]) == ([{"name": "a", "digest": world.parent["digest"]}], 1)
    known = json.loads(layers["corpus.json"])
    assert len(known["trajectories"]) == 5 and {"old", "pare"} < {t["id"] for t in known["tasks"]}


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"rank": 8}, "has rank 4, alpha 8 and the modules q_proj; the run has rank 8"),
        ({"alpha": 16}, "alpha 16"),
        ({"targetModules": ["v_proj"]}, "modules v_proj"),
    ],
)
def test_a_warm_start_of_another_shape_is_refused_in_words(world, section, said):
    with pytest.raises(Ending, match=said) as ended:
        world.run(warmStart={"adapter": "a"}, **section)
    assert ended.value.code == Exit.BAD_INPUT


def test_a_distilled_adapter_is_made_from_job_to_artifact_and_equal_jobs_give_equal_bytes(world):
    first = world.run(objective="Distillation", topK=4, learningRate="0.01")
    again = world.run(objective="Distillation", topK=4, learningRate="0.01")
    assert first["digest"] == again["digest"] != world.run(learningRate="0.01")["digest"]
    assert first["examples"] == 4
