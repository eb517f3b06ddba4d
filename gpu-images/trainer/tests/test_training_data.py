import json

import pytest

from rune_trainer import training_data
from rune_trainer.contract import LEARNT_FILE, MOST_LEARNT_TASKS, Exit
from rune_trainer.errors import Ending
from rune_trainer.registry import Repository
from rune_trainer.training_data import Task, TrainingData

ONE, TWO = "sha256:" + "1" * 64, "sha256:" + "2" * 64


def task(name: str, description: str = "Sort.", tests: str = "assert True") -> dict:
    return {"id": name, "description": description, "tests": tests}


def repository(registry) -> Repository:
    return Repository(registry.url, "/nowhere", "rune/demo/adapters", wait=lambda _: None)


def test_a_task_is_known_by_its_words_and_not_by_its_white_space():
    assert (
        training_data.hash_of("Sort\n\tthe list. ")
        == training_data.hash_of(" Sort the\u00a0list.\ufeff")
        == "f849eecef953e821"
    )
    assert training_data.hash_of("Sort the lists.") != training_data.hash_of("Sort the list.")
    assert training_data.hash_of("a\u0085b") != training_data.hash_of("a b"), "JavaScript takes it for no white space"


def test_the_document_is_sorted_and_names_a_task_once():
    together = training_data.of_tasks(
        [TWO, ONE], [task("b"), task("a"), task("c", "Reverse."), task("d", tests="assert 1")]
    )
    document = together.document()
    assert document["trajectories"] == [ONE, TWO]
    assert [(t["description"], t["tests"]) for t in document["tasks"]] == sorted(
        (t["description"], t["tests"]) for t in document["tasks"]
    )
    assert sorted(t["id"] for t in document["tasks"]) == ["a", "c", "d"]


def test_the_order_of_what_is_joined_does_not_show(tmp_path):
    one, two = training_data.of_tasks([ONE], [task("a")]), training_data.of_tasks([TWO], [task("b")])
    for name, each in (("x", one | two), ("y", two | one)):
        (tmp_path / name).mkdir()
        each.write(tmp_path / name)
    assert (tmp_path / "x" / LEARNT_FILE).read_bytes() == (tmp_path / "y" / LEARNT_FILE).read_bytes()
    assert training_data.parse(json.loads((tmp_path / "x" / LEARNT_FILE).read_bytes())).trajectories == {ONE, TWO}


def test_what_an_artifact_says_of_itself_is_read_back_and_an_imported_one_says_nothing(registry, tmp_path):
    known = training_data.of_tasks([ONE], [task("a")])
    known.write(tmp_path)
    r = repository(registry)
    layer = r.push_file("x", tmp_path / LEARNT_FILE, LEARNT_FILE)
    config = r.push_blob("x", b"{}")
    assert training_data.of_artifact(r, r.push_manifest("x", config, [layer], {}).digest) == known
    assert training_data.of_artifact(r, r.push_manifest("x", config, [], {}).digest) == TrainingData()


@pytest.mark.parametrize(
    "content", [b"{", b"[]", b'{"schema":"other"}', b'{"schema":"rune.dev/learnt/v1","trajectories":[],"tasks":[{}]}']
)
def test_a_layer_of_another_shape_is_refused_with_its_name(registry, content):
    r = repository(registry)
    digest = r.push_manifest("x", r.push_blob("x", b"{}"), [r.push_blob("x", content, LEARNT_FILE)], {}).digest
    with pytest.raises(Ending, match=r"corpus.json of rune/demo/adapters@sha256:") as ended:
        training_data.of_artifact(r, digest)
    assert (ended.value.code, ended.value.reason) == (Exit.DATA_ERROR, "UnexpectedArtifact")


def test_more_than_an_artifact_may_name_is_refused():
    many = TrainingData(tasks=frozenset(Task(f"{n:016x}", "", str(n)) for n in range(MOST_LEARNT_TASKS + 1)))
    with pytest.raises(Ending, match="100001 tasks"):
        many.document()
