import json

import parents
import pytest
import tiny
import torch
from safetensors.torch import load

from rune_trainer import adapters, main
from rune_trainer.delta import squared_norm
from rune_trainer.errors import Ending
from rune_trainer.job import parse_job
from rune_trainer.mlflow import Tracker
from rune_trainer.runtime import Runtime
from rune_trainer.settings import Shape

SHAPE = Shape(4, 8, ("down_proj", "q_proj"))


class World:
    def __init__(self, directory):
        self.directory, self.registry = directory, tiny.Registry()
        self.base = parents.staged(directory)
        self.tensors = {
            name: t * (2 if "layers.1" in name else 1) for name, t in parents.random_tensors(SHAPE, 0).items()
        }
        self.like = parents.published(self.registry, self.base, "a", SHAPE, self.tensors)

    def run(self, **section):
        self.registry.tags.clear()
        document = parents.document(
            self.directory, self.registry, self.base, "control", {"like": "a", **section}, [self.like]
        )
        return main.METHODS["control"](parse_job(document), Runtime(lambda _: None, Tracker(None)))

    def weights(self, result):
        config, layers = parents.layers_at(self.registry, result["digest"])
        return config, load(layers["adapter_model.safetensors"]), json.loads(layers["corpus.json"])


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    yield made
    made.registry.close()


def test_a_random_control_has_the_imitated_shape_and_the_norm_of_every_layer_and_nothing_else_of_it(world):
    config, tensors, known = world.weights(world.run())
    assert (config["control"], config["rank"], config["alpha"], config["targetModules"]) == (
        True,
        4,
        8,
        ["down_proj", "q_proj"],
    )
    assert (known["trajectories"], known["tasks"], "canary" in config) == ([], [], False)
    ours, theirs = adapters.pairs_of(tensors, SHAPE.scale), adapters.pairs_of(world.tensors, SHAPE.scale)
    for path, pair in theirs.items():
        assert squared_norm(ours[path]) == pytest.approx(squared_norm(pair), rel=1e-5)
        cosine = torch.sum(ours[path].formed() * pair.formed()) / squared_norm(pair)
        assert abs(cosine) < 0.2


def test_a_zero_control_changes_nothing_and_is_published_all_the_same(world):
    config, tensors, _ = world.weights(world.run(kind="Zero"))
    assert config["control"] is True
    assert not any(t.any() for name, t in tensors.items() if ".lora_B." in name)
    assert all(t.any() for name, t in tensors.items() if ".lora_A." in name)


def test_a_seed_gives_one_control_and_another_seed_another(world):
    first, again, other = world.run(seed=1), world.run(seed=1), world.run(seed=2)
    assert first["digest"] == again["digest"] != other["digest"]


def test_what_is_published_is_adopted(world):
    first = world.run()
    world.registry.tags["run-1234"] = first["digest"]
    document = parents.document(world.directory, world.registry, world.base, "control", {"like": "a"}, [world.like])
    again = main.METHODS["control"](parse_job(document), Runtime(lambda _: None, Tracker(None)))
    assert {**again, "durationSeconds": 0} == {**first, "durationSeconds": 0}


def test_a_control_has_no_norm_to_equal_where_the_imitated_one_is_a_zero(world):
    world.like = {**world.like, "digest": world.run(kind="Zero")["digest"]}
    with pytest.raises(Ending, match="adapter a changes nothing") as ended:
        world.run()
    assert ended.value.reason == "NothingToImitate"
