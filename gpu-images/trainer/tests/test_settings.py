"""The job document here and in crds/contracts are one: names, defaults and bounds are compared with the generated schema."""

import dataclasses
import json
import pathlib
import re

import pytest
import tiny

from rune_trainer.errors import Ending
from rune_trainer.fields import Fields, parsed
from rune_trainer.settings import SECTIONS
from rune_trainer.spec import parse_job

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


def snake(name: str) -> str:
    return re.sub("[A-Z]", lambda m: f"_{m[0].lower()}", name)


def plain(value, default):
    """A parsed value as the schema writes its default."""
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
def test_a_section_has_the_fields_of_the_schema(method):
    f = Fields(LEAST[method], method)
    SECTIONS[method](f)
    assert f.read == set(SCHEMA[method]["properties"])


@pytest.mark.parametrize("method", SECTIONS)
def test_a_section_has_the_defaults_of_the_schema(method):
    section = parsed(LEAST[method], method, SECTIONS[method])
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
        parsed({**LEAST[method], name: value}, method, SECTIONS[method])


ENUMS = [
    (method, name, value)
    for method in SECTIONS
    for name, each in SCHEMA[method]["properties"].items()
    for value in each.get("enum", [])
]


@pytest.mark.parametrize(("method", "name", "value"), ENUMS)
def test_every_choice_of_the_schema_is_taken(method, name, value):
    assert getattr(parsed({**LEAST[method], name: value}, method, SECTIONS[method]), snake(name)) == value


def test_every_object_of_the_document_has_the_fields_of_the_schema(monkeypatch):
    read = dict[str, set[str]]()
    monkeypatch.setattr(Fields, "done", lambda f: read.update({re.sub(r"\[\d+\]", "", f.path): f.read}))
    reference = {"repository": "r", "digest": DIGEST}
    parse_job(
        tiny.document(
            corpus={"trajectories": [{**reference, "adapter": reference}], "include": ["Programs"], "digest": DIGEST},
            adapters=[{**reference, "name": "a"}],
            sft={"warmStart": {"adapter": "a"}},
            generator=reference,
            output={"repository": "r", "scope": {}, "generation": 1, "parents": [{"name": "a", "digest": DIGEST}]},
            nats={"url": "u", "credentialsFile": "f"},
            mlflow={"url": "u", "experiment": "e"},
        )
    )
    assert len(read) == 17
    assert {path: sorted(names) for path, names in read.items()} == {path: sorted(properties_at(path)) for path in read}


def properties_at(path):
    schema = {"properties": SCHEMA}
    for name in filter(None, path.split(".")):
        schema = schema["properties"][name]
        schema = schema.get("items", schema)
    return schema["properties"]


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"merge": {"adapters": ["a", "b"], "weights": ["1"]}}, "one weight for each of the 2 adapters"),
        ({"merge": {"adapters": ["a", "b"], "weights": ["1", "2", "3"]}}, "one weight for each of the 2 adapters"),
        ({"merge": {"adapters": ["a", "b"], "weights": ["1", "2"], "search": {}}}, "none with search"),
        ({"merge": {"adapters": ["a", "b"], "weights": [1, 2]}}, "decimals as strings"),
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
        parsed(value, method, SECTIONS[method])
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
