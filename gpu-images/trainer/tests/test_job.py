import pytest
import tiny

from rune_trainer.contract import Exit, Scope
from rune_trainer.errors import Ending
from rune_trainer.job import parse_job


def test_a_complete_document_is_read():
    job = parse_job(tiny.document())
    assert job.sft is not None
    assert (job.owner.uid, job.sft.rank, job.sft.learning_rate, job.nats, job.output.scope) == (
        "1234",
        4,
        0.01,
        None,
        Scope(project="tessera"),
    )


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("owner.uid", ..., "owner.uid is missing"),
        ("base.digest", "latest", "base.digest is 'latest'"),
        ("sft.rank", 0, "sft.rank must be a whole number from 1 to 512, not 0"),
        ("sft.rank", True, "sft.rank must be a whole number"),
        ("sft.learningRate", 0.01, "sft.learningRate must be a non-empty string"),
        ("sft.learningRate", "-1", "sft.learningRate is '-1'"),
        ("sft.learningRate", "2", "must be above 0 and at most 1"),
        ("sft.targetModules", [], "sft.targetModules must be a list of at least 1 items"),
        ("sft.quantization", "INT8", "sft.quantization must be one of None, NF4"),
        ("corpus.include", ["Everything"], "corpus.include may hold Programs, Notes, Corrections, not 'Everything'"),
        ("corpus.trajectories", [{"repository": "a"}], "corpus.trajectories[0].digest is missing"),
        ("sft.targetModules", ["Q"], "sft.targetModules[0] is 'Q'"),
        ("sft.targetModules", ["q"] * 33, "sft.targetModules must be a list of at most 32 items, not 33"),
        ("owner.name", "", "owner.name must be a non-empty string"),
        ("owner.name", "n" * 64, "owner.name must have at most 63 characters, not 64"),
        ("owner", [], "owner must be an object, not the list '[]'"),
        ("method", "dpo", "method must be one of sft, hypernetwork, generate, merge, control, not 'dpo'"),
        ("output.repository", "Rune", "output.repository is 'Rune'"),
        ("sft.ranks", 8, "sft.ranks is not a field of the job document"),
        ("checkpoint", None, "checkpoint must be an object, not nothing"),
    ],
)
def test_a_mistake_is_named_with_its_field_and_never_retried(path, value, said):
    with pytest.raises(Ending) as ended:
        parse_job(tiny.changed(tiny.document(), path, value))
    assert said in ended.value.message
    assert ended.value.code == Exit.BAD_INPUT


def test_only_what_is_trained_is_divided_among_processes():
    assert parse_job(tiny.document(workers=2)).workers == 2
    document = tiny.document(workers=2, method="control", control={"like": "a"})
    del document["sft"]
    with pytest.raises(
        Ending, match="workers is 2, but control works in one process; only sft and hypernetwork"
    ) as ended:
        parse_job(document)
    assert ended.value.code == Exit.BAD_INPUT
