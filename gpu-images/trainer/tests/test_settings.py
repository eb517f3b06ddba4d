"""What the schema of the job document says of names, defaults and bounds holds for what is read."""

import dataclasses
import json
import pathlib
import re

import pytest
import tiny

from rune_trainer import contract, parsing
from rune_trainer.errors import Ending
from rune_trainer.job import SECTIONS, parse_job
from rune_trainer.settings import read_section

SCHEMA = json.loads((pathlib.Path(__file__).parents[3] / "crds/generated/schema/trainer-job.json").read_text())[
    "properties"
]
DIGEST = "sha256:" + "0" * 64
LEAST = {
    "sft": {},
    "hypernetwork": {},
    "generate": {"hypernetwork": {}},
    "merge": {"adapters": ["a", "b"]},
    "control": {"like": "a"},
}
"""The fields of each section that have no default."""


def section_of(method, value):
    return read_section(getattr(contract, method.capitalize()), value, method)


def snake(name: str) -> str:
    return re.sub("[A-Z]", lambda m: f"_{m[0].lower()}", name)


def plain(value, default):
    """A parsed value in the schema's form of its default."""
    if dataclasses.is_dataclass(value):
        return {name: plain(getattr(value, snake(name)), inner) for name, inner in default.items()}
    if isinstance(value, tuple):
        return sorted(value)
    return value


def comparable(default):
    if isinstance(default, list):
        return sorted(default)
    if isinstance(default, dict):
        return {name: comparable(inner) for name, inner in default.items()}
    return float(default) if isinstance(default, str) and re.fullmatch(r"-?[0-9.]+", default) else default


@pytest.mark.parametrize("method", SECTIONS)
def test_a_section_has_the_defaults_of_the_schema(method):
    section = section_of(method, LEAST[method])
    defaults = {name: each["default"] for name, each in SCHEMA[method]["properties"].items() if "default" in each}
    assert {name: plain(getattr(section, snake(name)), default) for name, default in defaults.items()} == comparable(
        defaults
    )


BOUNDS = [
    (method, name, value)
    for method in SECTIONS
    for name, each in SCHEMA[method]["properties"].items()
    if each.get("type") == "integer"
    for value in (each["minimum"] - 1, each["maximum"] + 1)
]


@pytest.mark.parametrize(("method", "name", "value"), BOUNDS)
def test_a_number_outside_of_the_schema_is_refused(method, name, value):
    with pytest.raises(Ending, match=f"{method}.{name} must be a whole number"):
        section_of(method, {**LEAST[method], name: value})


ENUMS = [
    (method, name, value)
    for method in SECTIONS
    for name, each in SCHEMA[method]["properties"].items()
    for value in each.get("enum", [])
]


@pytest.mark.parametrize(("method", "name", "value"), ENUMS)
def test_every_choice_of_the_schema_is_taken(method, name, value):
    assert getattr(section_of(method, {**LEAST[method], name: value}), snake(name)) == value


def test_a_document_is_written_as_it_was_read():
    reference = {"repository": "r", "digest": DIGEST}
    named = {"name": "a", "digest": DIGEST}
    document = tiny.document(
        corpus={"trajectories": [{**reference, "adapter": reference}], "include": ["Programs"], "digest": DIGEST},
        adapters=[{**reference, **named}],
        sft={"warmStart": {"adapter": "a"}, "learningRate": "0.25"},
        output={"repository": "r", "scope": {"project": ""}, "generation": 1, "parents": [named]},
        nats={"url": "u", "credentialsFile": "f", "stream": "s", "subject": "s"},
        mlflow={"url": "u", "experiment": "e"},
    )
    written = parsing.written(parse_job(document))
    assert written["sft"].items() >= document["sft"].items()
    assert {**written, "sft": None} == {**document, "sft": None}


@pytest.mark.parametrize("limit", ["0.00005", "-0.00001", "5e-05"])
def test_a_small_number_is_read_again_as_it_was_written(limit):
    section = section_of("hypernetwork", {"stop": {"rightMinusWrongBelow": limit}})
    assert section.stop.right_minus_wrong_below == float(limit)
    assert section_of("hypernetwork", parsing.written(section)) == section


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"merge": {"adapters": ["a", "b"], "weights": ["1"]}}, "one weight for each of the 2 adapters"),
        ({"merge": {"adapters": ["a", "b"], "weights": ["1", "2", "3"]}}, "one weight for each of the 2 adapters"),
        ({"merge": {"adapters": ["a", "b"], "weights": ["1", "2"], "search": {}}}, "none with search"),
        ({"merge": {"adapters": ["a", "b"], "weights": [1, 2]}}, "merge.weights[0] must be a non-empty string"),
        ({"merge": {"adapters": ["a", "b"], "density": "0"}}, "merge.density must be above 0"),
        ({"merge": {"adapters": ["a"]}}, "needs two adapters at least"),
        ({"hypernetwork": {"width": 16, "heads": 3}}, "hypernetwork.heads must divide"),
        ({"hypernetwork": {"stop": {"after": 3}}}, "hypernetwork.stop.after is not a field"),
        ({"generate": {"hypernetwork": {}, "force": 1}}, "generate.force must be true or false"),
    ],
)
def test_a_section_s_mistake_is_named(section, said):
    [(method, value)] = section.items()
    with pytest.raises(Ending) as ended:
        section_of(method, value)
    assert said in ended.value.message


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"merge": {"adapters": ["a", "b"]}}, "the sections that are there are: sft, merge"),
        ({"method": "merge"}, "method is merge, but the sections that are there are: sft"),
        ({"corpus": None}, "method sft needs corpus"),
        ({"sft": {"warmStart": {"adapter": "a"}}}, "adapters must be a, in this order; they are none"),
        ({"method": "merge", "sft": None, "merge": {"adapters": ["a", "b"]}}, "method merge needs adapters"),
        ({"method": "generate", "sft": None, "generate": {"hypernetwork": {}}}, "method generate needs generator"),
        (
            {
                "method": "merge",
                "sft": None,
                "merge": {"adapters": ["a", "b"]},
                "adapters": [{"repository": "r", "digest": DIGEST, "name": n} for n in "ba"],
            },
            "adapters must be a, b, in this order; they are b, a",
        ),
        (
            {"sft": {"warmStart": {"adapter": "a"}}, "adapters": [{"repository": "r", "digest": DIGEST, "name": "a"}]},
            "output.parents must be the adapters a with their digests; they are none",
        ),
    ],
)
def test_a_document_whose_parts_disagree_is_refused(changed, said):
    with pytest.raises(Ending) as ended:
        parse_job(tiny.document(**changed))
    assert said in ended.value.message
