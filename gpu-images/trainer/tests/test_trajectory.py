import json

import pytest
import tiny

from rune_trainer import trajectory
from rune_trainer.contract import Exit
from rune_trainer.errors import Ending
from rune_trainer.registry import Repository

WHOLE = tiny.trajectory("a", ["return x"], [("return 1", "E")], ["note"])


def ending_of(work) -> Ending:
    with pytest.raises(Ending) as ended:
        work()
    assert ended.value.code == Exit.DATA_ERROR
    return ended.value


def test_a_trajectory_is_read_as_it_was_stored(registry):
    assert trajectory.pull(Repository(registry.url, "/nowhere", "t"), registry.add_trajectory(WHOLE)) == [
        trajectory.Item(WHOLE)
    ]


@pytest.mark.parametrize(
    "manifest",
    [
        {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []},
        {"schemaVersion": 2, "layers": []},
        {"schemaVersion": 2, "layers": None},
        {"schemaVersion": 2, "layers": [{}]},
        ["layers"],
    ],
    ids=["an index", "no layer", "layers of null", "a layer without a digest", "a list"],
)
def test_an_artifact_that_holds_no_document_is_unexpected(registry, manifest):
    digest = registry.add_manifest(manifest)
    ended = ending_of(lambda: trajectory.pull(Repository(registry.url, "/nowhere", "t"), digest))
    assert ended.reason == "UnexpectedArtifact"
    assert f"t@{digest}" in ended.message


@pytest.mark.parametrize(
    ("blob", "reason"),
    [
        (b"\n".join([json.dumps(WHOLE).encode()] * 2), "UnexpectedArtifact"),
        (b"", "UnexpectedArtifact"),
        (b"\x1f\x8b\x08archive", "UnexpectedArtifact"),
        (b"[" * 200_000, "UnexpectedArtifact"),
        (json.dumps(WHOLE)[:-1].encode() + b', "deep": ' + b"[" * 900 + b"]" * 900 + b"}", "UnexpectedArtifact"),
        (json.dumps([WHOLE]).encode(), "NotATrajectory"),
        (b"null", "NotATrajectory"),
        (b"{}", "NotATrajectory"),
        (b'{"schema": ["rune.dev/trajectory/v1"]}', "NotATrajectory"),
    ],
    ids=[
        "JSON lines",
        "nothing",
        "an archive",
        "a nest",
        "a trajectory with a nest",
        "a list",
        "null",
        "an empty object",
        "an odd schema",
    ],
)
def test_a_document_that_is_no_trajectory_is_refused_with_its_reason(registry, blob, reason):
    digest = registry.add_blob(blob)
    assert ending_of(lambda: trajectory.pull(Repository(registry.url, "/nowhere", "t"), digest)).reason == reason


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("schema", "rune.dev/report/v1", "has schema 'rune.dev/report/v1'"),
        ("task", ..., "task is nothing, expected an object"),
        ("task.description", ..., "task.description is nothing, expected text"),
        ("task.system", None, "task.system is nothing, expected text"),
        ("task.stub", 1, "task.stub is int, expected text"),
        ("records", None, "records is nothing, expected a list"),
        ("records", {}, "records is an object, expected a list"),
        ("records.0", "text", "records[0] is text, expected an object"),
        ("records.0.type", ..., "records[0].type is nothing"),
        ("records.0.program", ..., "records[0].program is nothing, expected text"),
        ("records.0.execution", ..., "records[0].execution is nothing, expected an object"),
        ("records.0.execution.passed", "yes", "records[0].execution.passed is text, expected true or false"),
        ("records.0.execution.error", ..., "records[0].execution.error is nothing"),
        ("records.1.notes", "note", "records[1].notes is text, expected a list"),
        ("records.1.notes.0", 1, "records[1].notes[0] is int, expected text"),
    ],
)
def test_a_trajectory_with_a_wrong_field_is_refused_and_the_field_named(path, value, said):
    ended = ending_of(lambda: trajectory.parse(tiny.changed(WHOLE, path, value), "t@sha256:0"))
    assert (ended.reason, said in ended.message, "t@sha256:0" in ended.message) == ("NotATrajectory", True, True)


def test_records_that_nothing_is_learnt_from_may_hold_anything():
    document = tiny.changed(WHOLE, "records.0", {"type": "generated", "programs": 7})
    assert trajectory.parse(document, "t") == document


def test_half_of_a_surrogate_pair_is_replaced_and_whole_ones_are_kept():
    document = tiny.changed(WHOLE, "records.0.execution.error", "\ud83d \U0001f600")
    assert trajectory.parse(document, "t")["records"][0]["execution"]["error"] == "\ufffd \U0001f600"


def pulled(registry, digest: str) -> list[trajectory.Item]:
    return trajectory.pull(Repository(registry.url, "/nowhere", "t"), digest)


def test_a_corpus_is_read_line_by_line_with_the_examples_that_it_names(registry):
    examples = [{"task": WHOLE["task"], "program": "x"}]
    digest = registry.add_corpus([{"trajectory": WHOLE}, {"trajectory": WHOLE, "examples": examples}])
    assert pulled(registry, digest) == [trajectory.Item(WHOLE), trajectory.Item(WHOLE, tuple(examples))]


@pytest.mark.parametrize(
    ("lines", "reason", "said"),
    [
        ([], "EmptyCorpus", "a trajectory a line"),
        ([{"trajectory": WHOLE}, {}], "NotATrajectory", "line 2 of t@"),
        ([WHOLE], "NotATrajectory", "line 1 of t@"),
        ([[]], "NotATrajectory", "a list"),
        (
            [{"trajectory": WHOLE, "examples": [{"task": WHOLE["task"]}]}],
            "NotATrajectory",
            "examples[0].program is nothing",
        ),
        (
            [{"trajectory": WHOLE, "examples": [{"task": {}, "program": "x"}]}],
            "NotATrajectory",
            "examples[0].task.description is nothing",
        ),
    ],
)
def test_a_corpus_with_a_wrong_line_is_refused_and_the_line_named(registry, lines, reason, said):
    ended = ending_of(lambda: pulled(registry, registry.add_corpus(lines)))
    assert (ended.reason, said in ended.message) == (reason, True), ended.message
