import itertools
import json
import math
import pathlib

import pytest

from rune_trainer import training_curve
from rune_trainer.contract import MOST_CURVE_POINTS, TRAINING_FILE, Exit
from rune_trainer.errors import Ending
from rune_trainer.registry import Repository
from rune_trainer.training_curve import Look


def repository(registry) -> Repository:
    return Repository(registry.url, "/nowhere", "rune/demo/adapters", wait=lambda _: None)


def stored(registry, files: dict[str, bytes]) -> str:
    r = repository(registry)
    layers = [r.push_blob("x", content, title) for title, content in files.items()]
    return r.push_manifest("x", r.push_blob("x", b"{}"), layers, {}).digest


def test_a_short_training_keeps_each_loss():
    assert training_curve.thinned([3.0, 2.0000001, 1.0]) == [
        {"step": 1, "loss": 3.0},
        {"step": 2, "loss": 2.0},
        {"step": 3, "loss": 1.0},
    ]


@pytest.mark.parametrize("steps", [201, 399, 1000, 12_345])
def test_a_long_one_keeps_means_of_nearly_equal_parts_up_to_its_last_step(steps):
    points = training_curve.thinned([float(step + 1) for step in range(steps)])
    ends = [0, *(point["step"] for point in points)]
    lengths = {end - first for first, end in itertools.pairwise(ends)}
    assert (len(points), ends[-1], max(lengths) - min(lengths) <= 1) == (MOST_CURVE_POINTS, steps, True)
    means = [(first + 1 + end) / 2 for first, end in itertools.pairwise(ends)]
    assert [point["loss"] for point in points] == pytest.approx(means, rel=1e-5)


def test_of_many_checkpoints_the_first_and_the_last_and_those_between_are_kept():
    looks = [Look(step, {"rightMinusWrong": 0.1}) for step in range(10, 10_010, 10)]
    kept = training_curve.spread(looks)
    assert (len(kept), kept[0], kept[-1]) == (MOST_CURVE_POINTS, looks[0], looks[-1])
    assert {b.step - a.step for a, b in itertools.pairwise(kept)} == {50, 60}
    assert training_curve.spread(looks[:200]) == looks[:200]


def test_what_is_no_number_and_what_is_one_layer_s_is_left_out():
    measured = {"deltaWNorm": 1.23456789, "effectiveRank": math.nan, "relativeNorm/model.layers.0": 1.0}
    assert Look.of(4, measured) == Look(4, {"deltaWNorm": 1.23457})


def test_an_artifact_s_curve_is_read_byte_for_byte_and_an_older_one_has_none(registry, tmp_path):
    training_curve.write(tmp_path, "Hypernetwork", [0.5, 0.25], [Look(2, {"cosineDiversity": 0.4})])
    written = (tmp_path / TRAINING_FILE).read_bytes()
    assert json.loads(written) == {
        "schema": "rune.dev/training/v1",
        "trained": "Hypernetwork",
        "loss": [{"step": 1, "loss": 0.5}, {"step": 2, "loss": 0.25}],
        "checkpoints": [{"step": 2, "measured": {"cosineDiversity": 0.4}}],
    }
    r = repository(registry)
    assert training_curve.of_artifact(r, stored(registry, {TRAINING_FILE: written})) == written
    assert training_curve.of_artifact(r, stored(registry, {"corpus.json": b"{}"})) is None


@pytest.mark.parametrize("content", [b"{", b"[]", b"{}", b'{"schema":"other"}'])
def test_a_curve_of_another_shape_is_refused_with_its_name(registry, content):
    digest = stored(registry, {TRAINING_FILE: content})
    with pytest.raises(Ending, match=r"training.json of rune/demo/adapters@sha256:") as ended:
        training_curve.of_artifact(repository(registry), digest)
    assert (ended.value.code, ended.value.reason) == (Exit.DATA_ERROR, "UnexpectedArtifact")


def test_equal_trainings_have_equal_bytes(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        training_curve.write(tmp_path / name, "Adapter", [1 / 3], [Look.of(1, {"deltaWNorm": 2 / 3})])
    one, other = (pathlib.Path(tmp_path, name, TRAINING_FILE).read_bytes() for name in ("a", "b"))
    assert one == other
