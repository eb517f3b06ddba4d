import json
import pathlib

import pytest

from rune_trainer.context import context_of

VECTOR = json.loads((pathlib.Path(__file__).parents[3] / "crds/vectors/trajectory-text.json").read_text())


@pytest.mark.parametrize("text", VECTOR["texts"], ids=lambda text: f"{text['most']} characters")
def test_an_evaluation_tells_a_trajectory_in_the_same_words(text):
    assert context_of(VECTOR, lambda told: len(told) <= text["most"])[0] == text["text"]
