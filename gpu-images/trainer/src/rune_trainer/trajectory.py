"""A corpus's documents as they come from the registry: `trajectory` in crds/src/artifact.ts, as far as the trainer reads it."""

from typing import Any

from rune_trainer.errors import Ending, data_error
from rune_trainer.registry import Repository

SCHEMA = "rune.dev/trajectory/v1"
SHAPE = {"task": {"description": str, "id?": str, "tests?": str, "stub?": str, "system?": str}, "records": [{"type": str}]}
RECORDS = {"executed": {"program": str, "execution": {"passed": bool, "error": str}}, "reflected": {"notes": [str]}}
"""What else a record of a type holds; records of other types are not read."""
NAMES = {str: "text", bool: "true or false", dict: "an object", list: "a list", type(None): "nothing"}

Shape = type | dict[str, Any] | list[Any]


def pull(repository: Repository, digest: str) -> dict[str, Any]:
    """The trajectory in an artifact; anything else ends the run for good."""
    where = f"{repository.name}@{digest}"
    try:
        return parse(repository.pull_json(digest), where)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise data_error(
            "UnexpectedArtifact",
            f"{where} is not an artifact of one JSON document, as sessions store them ({type(error).__name__}: {error}); "
            "an index, a list of lines and an archive can't be learnt from: name a trajectory's digest",
        ) from error


def parse(document: Any, where: str) -> dict[str, Any]:
    """The document, if it is a trajectory; halves of surrogate pairs, which JSON can hold and a tokenizer can't, are replaced."""
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        found = f"has schema {document.get('schema')!r}" if isinstance(document, dict) else f"holds {name_of(type(document))}"
        raise not_a_trajectory(f"{where} {found}, expected an object with schema {SCHEMA!r}")
    if wrong := mismatch(document, SHAPE, "") or mismatch_of_records(document["records"]):
        raise not_a_trajectory(f"{where} is no whole trajectory: {wrong}")
    return well_formed(document)


def not_a_trajectory(message: str) -> Ending:
    return data_error("NotATrajectory", f"{message}; learn from sessions, or from artifacts that sessions stored")


def mismatch_of_records(records: list[Any]) -> str | None:
    found = (mismatch(record, RECORDS.get(record["type"], {}), f"records[{number}]") for number, record in enumerate(records))
    return next(filter(None, found), None)


def mismatch(value: Any, shape: Shape, path: str) -> str | None:
    """The first place where a value is not of a shape, in words. Names that end in `?` may be absent."""
    kind = shape if isinstance(shape, type) else type(shape)
    if not isinstance(value, kind):
        return f"{path} is {name_of(type(value))}, expected {name_of(kind)}"
    found = None
    if isinstance(shape, list):
        found = (mismatch(each, shape[0], f"{path}[{number}]") for number, each in enumerate(value))
    if isinstance(shape, dict):
        asked = ((name.removesuffix("?"), inner) for name, inner in shape.items() if not name.endswith("?") or name.removesuffix("?") in value)
        found = (mismatch(value.get(name), inner, f"{path}.{name}".lstrip(".")) for name, inner in asked)
    return next(filter(None, found or ()), None)


def name_of(kind: type) -> str:
    return NAMES.get(kind, kind.__name__)


def well_formed(value: Any) -> Any:
    if isinstance(value, dict):
        return {well_formed(name): well_formed(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [well_formed(each) for each in value]
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if isinstance(value, str) else value
