"""The trainer must get the same results as TypeScript from crds/vectors:
`vectors` in crds/testing/vectors.ts reads the same.
"""

import json
import pathlib
from typing import Any

import pytest

from rune_trainer.canonical import canonical, digest_of, model_identity
from rune_trainer.corpus import failed_turn, prompt_of
from rune_trainer.task_split import part_of
from rune_trainer.training_data import hash_of

FOLDER = pathlib.Path(__file__).parents[3] / "crds/vectors"


def vectors(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_text())


@pytest.mark.parametrize("known", vectors("canonical-json"), ids=lambda known: known["text"])
def test_canonical_json_is_the_same_bytes(known):
    written = canonical(known["value"])
    assert (written.decode(), digest_of(written)) == (known["text"], known["digest"])


def test_a_model_has_the_same_identity(tmp_path):
    known = vectors("model-identity")
    for name, text in known["files"].items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert model_identity(tmp_path) == known["digest"]


@pytest.mark.parametrize("known", vectors("learnt"), ids=lambda known: known["hash"])
def test_what_was_learnt_from_has_the_same_hash(known):
    assert hash_of(known["text"]) == known["hash"]


@pytest.mark.parametrize("known", vectors("parts"), ids=lambda known: str(known["task"]))
def test_a_task_belongs_to_the_same_part(known):
    assert part_of(known["task"]) == known["part"]


@pytest.mark.parametrize("known", vectors("prompts"), ids=lambda known: known["task"]["id"])
def test_a_task_is_asked_in_the_same_words(known):
    messages, given = prompt_of({"task": known["task"]})
    failure = {"program": known["failure"]["program"], "execution": {"error": known["failure"]["error"]}}
    assert (list(messages), given) == (known["prompt"], known["prefill"])
    assert [*messages, *failed_turn(failure)] == known["correction"]
