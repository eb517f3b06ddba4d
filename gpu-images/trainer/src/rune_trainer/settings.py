"""What the schema of a method's section can't say of it, and what its parts are together."""

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from rune_trainer.contract import Control, Generate, Hypernetwork, Merge, Sft
from rune_trainer.errors import bad_input
from rune_trainer.parsing import read

Section = Sft | Hypernetwork | Generate | Merge | Control
S = TypeVar("S", bound=Section)
Precision = Literal["BFloat16", "Float32"]


@dataclass(frozen=True)
class Loading:
    """How the frozen base is loaded."""

    precision: Precision
    quantization: Literal["None", "NF4"] = "None"


@dataclass(frozen=True)
class Shape:
    """Shape of an adapter, uniform over its layers: engines read no patterns."""

    rank: int
    alpha: int
    target_modules: tuple[str, ...]

    @property
    def scale(self) -> float:
        return self.alpha / self.rank

    def fields(self) -> dict[str, Any]:
        """With the names of configs and results."""
        return {"rank": self.rank, "alpha": self.alpha, "targetModules": list(self.target_modules)}


def shape_of(settings: Sft) -> Shape:
    return Shape(settings.rank, settings.alpha, settings.target_modules)


def read_section(kind: type[S], value: Any, path: str) -> S:
    """A section by itself, such as one that an artifact keeps."""
    return settled(read(kind, value, path), path)


def settled(section: S, path: str) -> S:
    """The section, its modules sorted and each named once. Raises an `Ending` where its fields don't fit each other."""
    if isinstance(section, Merge):
        require_mergeable(section, path)
    if not isinstance(section, (Sft, Hypernetwork)):
        return section
    if not 0 < section.learning_rate <= 1:
        raise bad_input(f"{path}.learningRate must be above 0 and at most 1, not {section.learning_rate}")
    if isinstance(section, Hypernetwork) and section.width % section.heads:
        raise bad_input(f"{path}.heads must divide {path}.width; {section.heads} does not divide {section.width}")
    return dataclasses.replace(section, target_modules=tuple(sorted(set(section.target_modules))))


def require_mergeable(merge: Merge, path: str) -> None:
    if merge.weights and (merge.search or len(merge.weights) != len(merge.adapters)):
        raise bad_input(
            f"{path}.weights needs one weight for each of the {len(merge.adapters)} adapters, and none with search"
        )
    if len(merge.adapters) == 1 and not merge.norm_of:
        raise bad_input(f"{path}.adapters needs two adapters at least; one alone is for normOf, which scales it")
    if merge.norm_of and merge.search:
        raise bad_input(f"{path}.normOf fixes the strength that search would look for; name one of the two")
    if not 0 < merge.density <= 1:
        raise bad_input(f"{path}.density must be above 0 and at most 1, not {merge.density}")
