"""A corpus's documents from the registry:
`trajectory` and `corpusLine` in crds/contracts/trajectory.ts, as far as the trainer reads them.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rune_trainer.contract import MediaType, Schema
from rune_trainer.errors import Ending, data_error
from rune_trainer.registry import Repository

TASK = {"description": str, "id?": str, "tests?": str, "stub?": str, "system?": str}
SHAPE = {"task": TASK, "scope?": dict, "records": [{"type": str}]}
EXAMPLES = {"examples?": [{"task": TASK, "program": str}]}
RECORDS = {
    "executed": {"program": str, "execution": {"passed": bool, "error": str, "outcome?": str}},
    "reflected": {"notes": [str]},
}
"""Additional fields per type of record; records of other types are not read."""
NAMES = {str: "text", bool: "true or false", dict: "an object", list: "a list", type(None): "nothing"}

Shape = type | dict[str, Any] | list[Any]


@dataclass(frozen=True)
class Item:
    """A trajectory, and the questions that it helps with if its corpus lists them."""

    trajectory: dict[str, Any]
    examples: tuple[dict[str, Any], ...] | None = None
    """Each with a task and a program that passes."""

    def tasks(self) -> list[dict[str, Any]]:
        """Every task that a model trained on it has seen."""
        return [self.trajectory["task"], *(example["task"] for example in self.examples or ())]


def pull(repository: Repository, digest: str) -> list[Item]:
    """The trajectory in an artifact, or all of a corpus; anything else ends the run permanently."""
    where = f"{repository.name}@{digest}"
    try:
        kind, layer = repository.pull_layer(digest)
        if kind == MediaType.CORPUS:
            return lines_of(layer, where)
        return [Item(parse(json.loads(layer), where))]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise data_error(
            "UnexpectedArtifact",
            f"{where} is not an artifact of one JSON document, as sessions store them, nor a corpus of such lines ({type(error).__name__}: {error}); "
            "an index and an archive can't be learnt from: name a trajectory's or a corpus's digest",
        ) from error


def lines_of(layer: bytes, where: str) -> list[Item]:
    items = [
        item_of(json.loads(line), f"line {number} of {where}")
        for number, line in enumerate(layer.splitlines(), start=1)
        if line.strip()
    ]
    if not items:
        raise data_error("EmptyCorpus", f"{where} holds no line; a corpus has a trajectory a line")
    return items


def item_of(line: Any, where: str) -> Item:
    if not isinstance(line, dict):
        raise not_a_trajectory(f"{where} holds {name_of(type(line))}, expected an object with a trajectory")
    trajectory = parse(line.get("trajectory"), where)
    if wrong := mismatch(line, EXAMPLES, ""):
        raise not_a_trajectory(f"{where} has unusable examples: {wrong}")
    return Item(trajectory, tuple(well_formed(line["examples"])) if "examples" in line else None)


def parse(document: Any, where: str) -> dict[str, Any]:
    """The document, if it is a trajectory; halves of surrogate pairs, which JSON can hold and a tokenizer can't, are replaced."""
    if not isinstance(document, dict) or document.get("schema") != Schema.TRAJECTORY:
        found = (
            f"has schema {document.get('schema')!r}"
            if isinstance(document, dict)
            else f"holds {name_of(type(document))}"
        )
        raise not_a_trajectory(f"{where} {found}, expected an object with schema {Schema.TRAJECTORY!r}")
    if wrong := mismatch(document, SHAPE, "") or mismatch_of_records(document["records"]):
        raise not_a_trajectory(f"{where} is no whole trajectory: {wrong}")
    return well_formed(document)


def not_a_trajectory(message: str) -> Ending:
    return data_error("NotATrajectory", f"{message}; learn from sessions, or from artifacts that sessions stored")


def mismatch_of_records(records: list[Any]) -> str | None:
    found = (
        mismatch(record, RECORDS.get(record["type"], {}), f"records[{number}]") for number, record in enumerate(records)
    )
    return next(filter(None, found), None)


def mismatch(value: Any, shape: Shape, path: str) -> str | None:
    """The first place where a value doesn't match a shape, as a sentence. Names that end in `?` may be absent."""
    kind = shape if isinstance(shape, type) else type(shape)
    if not isinstance(value, kind):
        return f"{path} is {name_of(type(value))}, expected {name_of(kind)}"
    held: Any = value  # of the shape's kind
    found: Iterator[str | None] = iter(())
    if isinstance(shape, list):
        found = (mismatch(each, shape[0], f"{path}[{number}]") for number, each in enumerate(value))
    if isinstance(shape, dict):
        asked = (
            (name.removesuffix("?"), inner)
            for name, inner in shape.items()
            if not name.endswith("?") or name.removesuffix("?") in held
        )
        found = (mismatch(held.get(name), inner, f"{path}.{name}".lstrip(".")) for name, inner in asked)
    return next(filter(None, found), None)


def name_of(kind: type) -> str:
    return NAMES.get(kind, kind.__name__)


def well_formed(value: Any) -> Any:
    if isinstance(value, dict):
        return {well_formed(name): well_formed(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [well_formed(each) for each in value]
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if isinstance(value, str) else value
