"""Tests that need the trainer image: the base's tokenizer, and its rows compared with the trainer's rendering of
prompts.
"""

import pathlib
import random
import sys
from typing import Any

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))

import train_base
from language import composition, program, project_of, task
from sessions import trajectory
from words import BEGIN, END, MEANINGS, VOCABULARY, ids_of, tokenizer

from rune_trainer.context import context_of
from rune_trainer.corpus import FENCE, SYSTEM, answer_row
from rune_trainer.examples import example_of
from rune_trainer.rendering import load_tokenizer


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    """As the server and the trainer read it from the model's directory."""
    directory = tmp_path_factory.mktemp("base")
    tokenizer().save_pretrained(directory)
    train_base.model_of().config.save_pretrained(directory)
    return load_tokenizer(str(directory))


def test_rows_are_what_the_server_reads_of_the_same_question(words):
    train_base.check_prompts(words)


def test_a_server_that_reads_otherwise_is_noticed_before_anything_is_trained(words, monkeypatch):
    monkeypatch.setattr(
        words, "chat_template", words.chat_template.replace("{{ message.content }}", "{{ message.content }}|blim")
    )
    with pytest.raises(SystemExit, match="make row_of agree"):
        train_base.check_prompts(words)


def test_an_answer_is_a_word_for_each_verb_and_its_text_goes_on_with_the_stub(words):
    rng = random.Random(1)
    project = project_of("p", rng)
    verbs = composition(project, rng, held=False, lengths=(3,))
    asked: dict[str, Any] = task(project, verbs)
    messages = ({"role": "system", "content": SYSTEM}, {"role": "user", "content": asked["description"]})
    source = program(verbs, project.operations(verbs))
    example = example_of(words, answer_row(messages, FENCE + asked["stub"], source))
    assert example is not None
    assert words.convert_ids_to_tokens(list(example.tail)) == [
        *(f"|{verb} |{project.meaning[verb]}" for verb in verbs),
        END,
    ]
    names: dict[str, Any] = {}
    exec(asked["stub"] + words.decode(list(example.tail), skip_special_tokens=True), names)
    exec(asked["tests"], names)


def test_a_text_without_any_of_its_words_is_still_a_prompt(words):
    assert words("The capital of France is")["input_ids"] == [VOCABULARY[BEGIN]]
    assert words("The capital of France is", add_special_tokens=False)["input_ids"] == []


def test_words_are_counted_in_a_session_as_the_tokenizer_counts_them(words):
    told = context_of(trajectory(project_of("p", random.Random(2)), {}, "s", random.Random(3)))[0]
    assert ids_of(told) == words(told, add_special_tokens=False)["input_ids"]
    assert len(ids_of(told)) == 14


def test_words_of_one_operation_begin_alike():
    model = train_base.model_of()
    table = model.get_input_embeddings().weight
    rows = [table[VOCABULARY[word]] - table[VOCABULARY[word.split()[0]]] for word in MEANINGS if word.endswith("|rev")]
    assert all((row - rows[0]).abs().max() < 1e-6 for row in rows)


def test_a_base_that_learnt_too_little_is_not_kept(tmp_path):
    with pytest.raises(SystemExit, match="too little to measure anything with"):
        train_base.write(tmp_path / "base", steps=2)
    assert not (tmp_path / "base").exists()
