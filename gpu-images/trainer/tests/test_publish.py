import json
from types import SimpleNamespace
from typing import Any, cast

import pytest
import tiny

from rune_trainer import method_generate, publish, result
from rune_trainer.canonical import canonical
from rune_trainer.contract import MediaType
from rune_trainer.errors import Ending
from rune_trainer.job import parse_job
from rune_trainer.publish import Artifact, adapter_config
from rune_trainer.registry import Repository
from rune_trainer.settings import Shape

JOB = parse_job(tiny.document())
SHAPE = Shape(4, 8, ("q_proj",))
STATISTICS = {"examples": 3, "steps": 2, "trainingLoss": 0.5, "deltaWNorm": 1e-05}


def repository(registry) -> Repository:
    return Repository(registry.url, "/nowhere", "rune/demo/adapters", wait=lambda _: None)


def adapter(directory, name="one", **more) -> Artifact:
    (directory / name).mkdir()
    (directory / name / "weights").write_bytes(name.encode())
    (directory / name / "corpus.json").write_bytes(b"{}")
    return Artifact(MediaType.ADAPTER, directory / name, adapter_config(JOB, SHAPE, None, **more))


def pushed(registry, made):
    return [publish.push_member(repository(registry), each) for each in made]


def test_every_file_is_a_layer_and_stands_in_the_config_with_its_hash(registry, tmp_path):
    published = publish.publish(repository(registry), JOB, adapter(tmp_path, control=True), STATISTICS)
    manifest = json.loads(registry.manifests[published["digest"]])
    config = json.loads(registry.blobs[manifest["config"]["digest"]])
    assert {
        layer["annotations"]["org.opencontainers.image.title"]: layer["digest"] for layer in manifest["layers"]
    } == {name: f"sha256:{file['sha256']}" for name, file in config["files"].items()}
    assert (sorted(config["files"]), config["control"], published["sizeBytes"]) == (["corpus.json", "weights"], True, 5)


def test_an_index_holds_each_adapter_once_in_their_order_and_is_adopted_whole(registry, tmp_path):
    sessions = [{"namespace": "n", "name": name, "uid": name} for name in ("b", "a")]
    made = [adapter(tmp_path, s["name"], session=s, scope={"task": s["name"]}) for s in sessions]
    published = publish.publish_index(repository(registry), JOB, pushed(registry, made), STATISTICS)
    index = json.loads(registry.manifests[registry.tags["run-1234"]])
    assert (index["mediaType"], index["artifactType"], published["adapters"]) == (
        MediaType.INDEX,
        MediaType.ADAPTERS,
        2,
    )
    children = [json.loads(registry.manifests[m["digest"]]) for m in index["manifests"]]
    assert [json.loads(registry.blobs[c["config"]["digest"]])["session"] for c in children] == sessions
    assert [m["artifactType"] for m in index["manifests"]] == [MediaType.ADAPTER] * 2
    adopted = publish.adopt(repository(registry), JOB, MediaType.ADAPTERS, {"rank": 4})
    assert adopted == {**published, **STATISTICS, "durationSeconds": 0}


def test_each_adapter_of_an_index_carries_its_own_statistics_and_the_index_the_run_s(registry, tmp_path):
    made = [adapter(tmp_path, name) for name in ("a", "b")]
    made[0].training.update(deltaWNorm=0.25, hypernetwork={"trainingLoss": 1.5})
    publish.publish_index(repository(registry), JOB, pushed(registry, made), STATISTICS)
    index = json.loads(registry.manifests[registry.tags["run-1234"]])
    annotations = [json.loads(registry.manifests[m["digest"]]).get("annotations") for m in index["manifests"]]
    assert annotations == [
        {"dev.rune.training.deltaWNorm": "0.25", "dev.rune.training.hypernetwork": '{"trainingLoss":1.5}'},
        None,
    ]
    assert index["annotations"]["dev.rune.training.deltaWNorm"] == "1e-05"


def test_adapters_of_an_index_are_pushed_as_they_are_made_and_one_at_a_time_is_on_the_disk(registry):
    made = []

    def make(part, directory):
        assert not any(earlier.exists() for earlier in made)
        assert len(registry.manifests) == len(made)
        made.append(directory)
        return adapter(directory, part[0]), 1.0

    runtime = SimpleNamespace(stopping=lambda: False, report=lambda progress: None)
    members, norm = method_generate.push_each(
        cast("Any", SimpleNamespace(make=make)),
        cast("Any", ["a", "b", "c"]),
        repository(registry),
        cast("Any", runtime),
    )
    assert (len(made), len({manifest.digest for manifest, _ in members}), norm) == (3, 3, 1.0)


@pytest.mark.parametrize(
    ("type_", "expected", "owner"),
    [
        (MediaType.HYPERNETWORK, {}, "1234"),
        (MediaType.ADAPTER, {"rank": 8}, "1234"),
        (MediaType.ADAPTER, {"control": True}, "1234"),
        (MediaType.ADAPTER, {}, "5678"),
        (MediaType.ADAPTERS, {}, "1234"),
    ],
    ids=["another type", "another rank", "a field that is not there", "another owner", "no index"],
)
def test_what_is_not_this_run_s_is_not_adopted(registry, tmp_path, type_, expected, owner):
    publish.publish(repository(registry), JOB, adapter(tmp_path), STATISTICS)
    registry.tags["run-5678"] = registry.tags["run-1234"]
    asking = parse_job(tiny.document(owner={**tiny.document()["owner"], "uid": owner}))
    assert publish.adopt(repository(registry), asking, type_, expected) is None
    assert publish.adopt(repository(registry), JOB, MediaType.ADAPTER, SHAPE.fields())


def test_an_artifact_whose_config_is_gone_is_made_again(registry, tmp_path):
    publish.publish(repository(registry), JOB, adapter(tmp_path), STATISTICS)
    registry.blobs.clear()
    assert publish.adopt(repository(registry), JOB, MediaType.ADAPTER, {}) is None


def test_what_a_method_measured_is_adopted_with_its_artifact(registry, tmp_path):
    measured = {
        **STATISTICS,
        "collapsed": "rightMinusWrong is -0.1",
        "metrics": {"retainedEnergy": 0.9},
        "weights": [0.5, 1],
    }
    publish.publish(repository(registry), JOB, adapter(tmp_path), measured)
    adopted = publish.adopt(repository(registry), JOB, MediaType.ADAPTER, {})
    assert adopted is not None
    assert {name: adopted[name] for name in measured} == measured


def test_the_largest_result_fits_where_kubernetes_keeps_it(tmp_path, monkeypatch):
    monkeypatch.setenv("RUNE_TERMINATION_LOG", str(tmp_path / "termination"))
    largest = {
        "repository": "r" * 200,
        "digest": "d" * 71,
        "sizeBytes": 2**53,
        "rank": 512,
        "alpha": 4096,
        "targetModules": ["m" * 63] * 20,
        "adapters": 10000,
        "collapsed": '\x00ü"' * 500,
        "metrics": {f"relativeErrorToExactSum{n}": -1.23456789e-10 for n in range(11)},
        "weights": [0.123456789123] * 16,
        "examples": 10**9,
        "steps": 10**9,
        "trainingLoss": 1.2345678901234e-12,
        "deltaWNorm": 1.2345678901234e-12,
        "durationSeconds": 1e9,
        "mlflowRunID": "x" * 64,
    }
    result.leave(result.result_of(largest))
    kept = json.loads((tmp_path / "termination").read_text())
    assert kept["collapsed"] and kept["weights"][0] == 0.123457
    assert len(canonical(kept["collapsed"])) <= 500


def test_a_measure_that_is_no_number_is_left_out():
    assert result.result_of({"metrics": {"a": float("nan"), "b": 1.0}})["metrics"] == {"b": 1.0}


def test_a_failure_s_message_is_cut_to_what_kubernetes_keeps(tmp_path, monkeypatch):
    monkeypatch.setenv("RUNE_TERMINATION_LOG", str(tmp_path / "termination"))
    result.leave(result.message_of(Ending(65, "InvalidSpec", "\x00" * 5000)))
    assert set(json.loads((tmp_path / "termination").read_text())["failure"]["message"]) == {"\x00"}
