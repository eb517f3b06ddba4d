import json
import pathlib
import re
import signal
import time

import pytest
import tiny
from worlds import World

from rune_trainer.canonical import digest_of, model_identity
from rune_trainer.contract import MediaType


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    yield made
    made.registry.close()


def test_a_job_ends_with_one_verified_artifact_and_says_where_it_is(world):
    code, message = world.run()
    assert code == 0
    manifest = json.loads(world.registry.manifests[message["digest"]])
    config = json.loads(world.registry.blobs[manifest["config"]["digest"]])
    assert (config["base"]["digest"], config["rank"], config["source"]) == (
        world.document["base"]["digest"],
        4,
        {"kind": "TrainingRun", "name": "learn", "uid": "1234"},
    )
    assert {layer["annotations"]["org.opencontainers.image.title"] for layer in manifest["layers"]} == set(
        config["files"]
    )
    assert (message["examples"], message["steps"], message["repository"]) == (4, 4, "rune/demo/adapters")
    shown = json.loads(world.registry.blobs[f"sha256:{config['files']['training.json']['sha256']}"])
    assert (shown["trained"], [point["step"] for point in shown["loss"]]) == ("Adapter", [1, 2, 3, 4])
    assert shown["checkpoints"] == [
        {"step": 4, "measured": {"deltaWNorm": pytest.approx(message["deltaWNorm"], abs=1e-4)}}
    ]
    assert config["canary"]["adapterText"] != config["canary"]["baseText"]
    assert message["metrics"] == {"distinctTasks": 4, "failureModes": 0, "corrections": 0, "droppedPercent": 0}


def test_an_attempt_after_a_lost_message_adopts_what_is_published(world):
    _, first = world.run()
    world.document["attempt"] = 2
    code, second = world.run()
    assert code == 0
    assert {**second, "durationSeconds": 0} == {**first, "durationSeconds": 0}
    assert len(world.registry.manifests) == 4 + 1


def test_a_tag_of_somebody_else_is_not_adopted(world):
    _, first = world.run()
    world.registry.tags["run-5678"] = first["digest"]
    world.document["owner"]["uid"] = "5678"
    _, second = world.run()
    assert second["digest"] != first["digest"]


def test_sigterm_leads_to_a_checkpoint_and_exit_143_and_the_next_attempt_goes_on(tmp_path):
    world = World(tmp_path, epochs=20)
    process = world.start()
    while not list((tmp_path / "checkpoints").glob("step-*")):
        assert process.poll() is None, process.stdout and process.stdout.read()
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 143, output
    assert json.loads((tmp_path / "termination").read_text())["failure"]["reason"] == "Terminated"
    code, message = world.run()
    assert (code, message["steps"]) == (0, 40)
    world.registry.close()


def test_a_trainer_that_still_imports_ends_at_once(world):
    process = world.start()
    while not listens(process.pid, signal.SIGTERM):
        assert process.poll() is None, process.stdout and process.stdout.read()
        time.sleep(0.005)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 143
    assert not world.termination.exists()


def listens(pid, sign):
    """Whether the process has a handler, which process 1 of a container needs."""
    (caught,) = re.findall(r"SigCgt:\s*(\w+)", pathlib.Path(f"/proc/{pid}/status").read_text())
    return bool(int(caught, 16) >> (sign - 1) & 1)


def test_a_wrong_document_ends_with_65_and_names_the_field(world):
    world.document["sft"]["rank"] = 0
    code, message = world.run()
    assert (code, message["failure"]["reason"]) == (65, "InvalidSpec")
    assert "sft.rank" in message["failure"]["message"]


def test_a_base_that_is_not_the_named_one_is_not_trained_on(world):
    world.document["base"]["digest"] = digest_of(b"another")
    code, message = world.run()
    assert (code, message["failure"]["reason"]) == (64, "BaseMismatch")


def test_a_corpus_without_a_passing_program_ends_with_64(world):
    digest = world.registry.add_trajectory(tiny.trajectory("a", [], [("return 1", "E")]))
    world.document["corpus"]["trajectories"] = [{"repository": "rune/demo/trajectories", "digest": digest}]
    code, message = world.run()
    assert (code, message["failure"]["reason"]) == (64, "EmptyCorpus")


def with_long_programs(world, count: int) -> None:
    """Adds trajectories whose program is longer than any example may be."""
    long = [tiny.trajectory(f"long {n}", [f"return {n}{' ' * 600}+ 1"]) for n in range(count)]
    world.document["corpus"]["trajectories"] += [
        {"repository": "rune/demo/trajectories", "digest": world.registry.add_trajectory(each)} for each in long
    ]


def test_a_corpus_that_loses_more_than_a_fifth_of_its_examples_is_refused_before_any_weight_is_read(world):
    with_long_programs(world, 2)
    (world.directory / "base" / "model.safetensors").write_bytes(b"unread")
    world.document["base"]["digest"] = model_identity(world.directory / "base")
    code, message = world.run()
    assert (code, message["failure"]["reason"]) == (64, "CorpusInsufficient")
    said = message["failure"]["message"]
    assert "2 of 6 examples (33 %) are longer than sft.maxLength 512 tokens" in said and "raise sft.maxLength" in said


def test_a_corpus_of_which_every_example_is_too_long_is_told_so(world):
    world.document["corpus"]["trajectories"] = []
    with_long_programs(world, 2)
    code, message = world.run()
    assert (code, message["failure"]["reason"]) == (64, "CorpusInsufficient")
    assert "2 of 2 examples (100 %)" in message["failure"]["message"]


def test_a_fifth_may_be_too_long_and_is_counted(world):
    with_long_programs(world, 1)
    code, message = world.run()
    assert (code, message["examples"], message["metrics"]["droppedPercent"]) == (0, 4, 20)


@pytest.mark.parametrize(
    ("store", "reason"),
    [
        (lambda registry: registry.add_manifest({"schemaVersion": 2, "manifests": []}), "UnexpectedArtifact"),
        (lambda registry: registry.add_blob(b"{}\n{}"), "UnexpectedArtifact"),
        (lambda registry: registry.add_blob(b"[]"), "NotATrajectory"),
    ],
    ids=["an index", "JSON lines", "a list"],
)
def test_a_corpus_that_holds_something_else_is_never_retried(world, store, reason):
    world.document["corpus"]["trajectories"] = [
        {"repository": "rune/demo/trajectories", "digest": store(world.registry)}
    ]
    code, message = world.run()
    assert (code, message["failure"]["reason"]) == (64, reason)


def test_a_base_without_a_system_role_is_trained_on_with_the_words_in_the_user_s_turn(world):
    world.template(
        "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
        + tiny.TEMPLATE
    )
    code, message = world.run()
    assert (code, message["examples"]) == (0, 4)


@pytest.mark.parametrize(
    "template",
    ["{{ raise_exception('Conversation roles must alternate') }}", "{{ 'no words of anybody' }}", "", "{% if %}"],
)
def test_a_base_whose_template_renders_no_session_is_refused_before_its_weights_are_read(world, template):
    world.template(template)
    (world.directory / "base" / "model.safetensors").write_bytes(b"unread")
    world.document["base"]["digest"] = model_identity(world.directory / "base")
    code, message = world.run()
    assert (code, message["failure"]["reason"]) == (64, "ChatTemplate")
    assert "use a" in message["failure"]["message"]


@pytest.mark.parametrize(
    ("file", "content"), [("model.safetensors", b"broken"), ("config.json", b"{}"), ("tokenizer.json", b"{")]
)
def test_a_base_that_can_t_be_loaded_is_never_retried(world, file, content):
    (world.directory / "base" / file).write_bytes(content)
    world.document["base"]["digest"] = model_identity(world.directory / "base")
    code, message = world.run()
    assert (code, message["failure"]["reason"]) == (64, "BaseUnusable")


@pytest.mark.parametrize(
    "manifest",
    [
        {"artifactType": MediaType.ADAPTER},
        {"artifactType": MediaType.ADAPTER, "config": {"digest": digest_of(b"[]")}},
        ["no manifest"],
    ],
    ids=["no config", "a config of another shape", "a list"],
)
def test_a_tag_that_holds_something_else_is_not_adopted(world, manifest):
    world.registry.blobs[digest_of(b"[]")] = b"[]"
    world.registry.tags["run-1234"] = world.registry.add_manifest(manifest)
    code, message = world.run()
    assert (code, message["examples"]) == (0, 4)


def test_trackers_that_are_away_do_not_fail_the_run(world):
    world.document["mlflow"] = {"url": "http://127.0.0.1:9", "experiment": "e"}
    world.document["nats"] = {
        "url": "nats://127.0.0.1:9",
        "credentialsFile": "/nowhere",
        "stream": "RUNE_LOGS",
        "subject": "s",
    }
    code, _ = world.run()
    assert code == 0


def test_hidden_files_of_the_stager_are_no_part_of_a_model(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    before = model_identity(tmp_path)
    (tmp_path / ".rune-staged").write_text("{}")
    assert model_identity(tmp_path) == before
