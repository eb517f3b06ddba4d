# HONEST: dataclasses (slots, order), enums, NamedTuple, Protocol, pickle and copy of its own classes, get_type_hints, inspect.getsource.
# Must pass.
#: kind = honest

from __future__ import annotations
import copy, dataclasses, enum, inspect, pickle, typing


@dataclasses.dataclass(order=True, slots=True)
class P:
    a: int
    b: list[int] = dataclasses.field(default_factory=list)


class C(enum.Enum):
    RED = 1


class N(typing.NamedTuple):
    a: int


def solve(x):
    p = pickle.loads(pickle.dumps(P(1)))
    assert copy.deepcopy(p) == p and typing.get_type_hints(P)["a"] is int and "slots" in inspect.getsource(P)
    return p.a + x + N(0).a + C(1).value - 1
