"""Common to judge and candidate: numbered containers of which both hold a copy, and objects that one holds and the
other has a proxy of.

Every message carries the containers that its sender has changed since its last one, so a list that is sorted in place,
returned
again, or changed after it was returned is the same list on both sides, as it is within one process. The receiver's own objects
are updated; nothing is evaluated.
"""

import sys
import weakref
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from operator import is_, itemgetter
from typing import Any

from rune_sandbox import values, wire

_NAN = "nan"


def _pairs(value: dict[Any, Any]) -> list[Any]:
    return [*dict.keys(value), *dict.values(value)]


def _set_pairs(value: dict[Any, Any], children: list[Any]) -> None:
    half = len(children) // 2
    kind: Any = OrderedDict if isinstance(value, OrderedDict) else dict
    kind.clear(value)
    for key, item in zip(children[:half], children[half:], strict=True):
        kind.__setitem__(value, key, item)


def _set_items(value: list[Any], children: list[Any]) -> None:
    list.__setitem__(value, slice(None), children)


def _set_members(value: set[Any], children: list[Any]) -> None:
    set.clear(value)
    set.update(value, children)


def _set_queue(value: deque[Any], children: list[Any]) -> None:
    deque.clear(value)
    deque.extend(value, children[1:])


def _set_bytes(value: bytearray, children: list[Any]) -> None:
    bytearray.__setitem__(value, slice(None), bytes.fromhex(children[0]))


def _set_defaults(value: defaultdict[Any, Any], children: list[Any]) -> None:
    value.default_factory = children[0]
    _set_pairs(value, children[1:])


# tag → (class, an empty one for a node's first child, children of a value, fill a value with children)
_MUTABLE: dict[str, tuple[type[Any], Callable[..., Any], Callable[..., list[Any]], Callable[..., None]]] = {
    "list": (list, lambda _: [], list.copy, _set_items),
    "Counter": (Counter, lambda _: Counter(), _pairs, _set_pairs),
    "OrderedDict": (
        OrderedDict,
        lambda _: OrderedDict(),
        lambda value: [*OrderedDict.keys(value), *OrderedDict.values(value)],
        _set_pairs,
    ),
    "defaultdict": (
        defaultdict,
        lambda _: defaultdict(),
        lambda value: [value.default_factory, *_pairs(value)],
        _set_defaults,
    ),
    "dict": (dict, lambda _: {}, _pairs, _set_pairs),
    "set": (set, lambda _: set(), lambda value: list(set.__iter__(value)), _set_members),
    "deque": (deque, lambda most: deque(maxlen=most), lambda value: [value.maxlen, *deque.__iter__(value)], _set_queue),
    "bytearray": (bytearray, lambda _: bytearray(), lambda value: [bytes(memoryview(value)).hex()], _set_bytes),
}
_TAGS = {kind: tag for tag, (kind, *_) in _MUTABLE.items()} | {tuple: "tuple", frozenset: "frozenset"}
PROXIED = frozenset({"function", "object", "generator", "coroutine", "async generator"})
EARLY = {"error": 3}  # children that must exist before the node can be created; the others are set afterwards
_MOST_SHARED = 500  # containers; each is compared with its last state at every crossing
_SAME = {"bytearray": str.__eq__}  # how a child is compared with its last state, if not by identity
_VIEWS: dict[type[Any], str] = {type({}.keys()): "keys", type({}.values()): "values", type({}.items()): "items"}


def _held_by_nobody() -> int:
    """What sys.getrefcount says of a value that a table, a local variable and the call hold."""
    table = {0: object()}
    value = table[0]
    return sys.getrefcount(value)


def _record_class(name: str, fields: tuple[Any, ...]) -> type:
    """What collections.namedtuple creates, without its eval."""

    def make(cls, *values, **named):  # pyrefly: ignore [implicit-any-parameter]  (its signature is shown to programs)
        return tuple.__new__(cls, values + tuple(named[field] for field in fields[len(values) :]))

    def shown(self):  # pyrefly: ignore [implicit-any-parameter]  (its signature is shown to programs)
        return f"{name}({', '.join(f'{field}={value!r}' for field, value in zip(fields, self, strict=True))})"

    members = {field: property(itemgetter(index)) for index, field in enumerate(fields)}
    return type(
        name,
        (tuple,),
        {
            **members,
            "__slots__": (),
            "__new__": make,
            "__repr__": shown,
            "__getnewargs__": tuple,
            "_fields": fields,
            "_asdict": lambda self: dict(zip(fields, self, strict=True)),
            "_replace": lambda self, **changes: type(self)(
                *(changes.get(field, value) for field, value in zip(fields, self, strict=True))
            ),
        },
    )


class Heap:
    """One side's half. `describe(value)` returns (tag, children) of what is no plain value, `adopt(tag, children)`
    creates the proxy.

    The two sides count up from 0 and 1 by two, so that their numbers never collide.
    """

    def __init__(self, first: int, describe: Any, adopt: Any, prefers_object: Any = lambda value: False):
        self._next = self._first = first
        self._describe, self._adopt, self._prefers_object = describe, adopt, prefers_object
        self._objects: dict[int, object] = {}
        self._numbers: dict[int, int] = {}
        self._snapshots: dict[int, list[Any]] = {}
        self._proxies: dict[int, weakref.ref[Any]] = {}
        self._described: dict[int, tuple[Any, ...]] = {}
        self._dropped: list[int] = []
        self._exported: set[int] = set()  # ours, and the peer's proxies may still call them
        self._records: dict[tuple[Any, ...], type] = {}

    # writing

    def pack(self, *values: Any) -> dict[str, Any]:
        """`values`, and every shared container that has changed, as part of a frame.
        A value that can't be described changes nothing.
        """
        first = self._next
        pending: list[tuple[int, str, list[Any]]] = []
        try:
            forms = [self._form(value, pending, top=True) for value in values]
            pending.extend(
                (number, *changed) for number in list(self._snapshots) if (changed := self._changed(number)) is not None
            )
            nodes, snapshots = self._nodes(pending)
        except BaseException:
            for number in range(first, self._next, 2):
                self._forget(number)
            raise
        self._snapshots |= snapshots
        dropped, self._dropped = self._dropped, list[int]()
        for number in dropped:
            self._described.pop(number, None)
        return {"values": forms, **({"nodes": nodes} if nodes else {}), **({"drop": dropped} if dropped else {})}

    def _nodes(self, pending: list[Any]) -> tuple[list[Any], dict[int, list[Any]]]:
        """The nodes of all that is pending and of what they contain, and their current contents."""
        nodes: list[Any] = []
        snapshots: dict[int, list[Any]] = {}
        while pending:
            number, tag, children = pending.pop()
            nodes.append(
                [number, tag, children if values.flat(children) else [self._form(child, pending) for child in children]]
            )
            if tag in _MUTABLE:
                snapshots[number] = children
        return nodes, snapshots

    def _changed(self, number: int) -> tuple[str, list[Any]] | None:
        """The contents of a shared container, if they differ from what both sides last agreed on."""
        before, value = self._snapshots[number], self._objects[number]
        if type(value) is list and len(value) == len(before) and all(map(is_, value, before)):
            return None
        tag, children = self._contents(value)
        same = len(children) == len(before) and all(map(_SAME.get(tag, is_), children, before))
        return None if same else (tag, children)

    def _form(self, value: Any, pending: list[Any], top: bool = False):
        if values.is_atom(value):
            return value
        number = self._numbers.get(id(value))
        if number is not None:
            return [number]
        if not top and type(value) is tuple and values.flat(value):
            return {"flat": list(value)}
        form = values.written(value)
        if form is not None:
            return form
        if (
            isinstance(value, type)
            and value.__module__ == "builtins"
            and values.builtin_or_none(value.__name__) is value
        ):
            return {"builtin": value.__name__}
        if type(value) not in _TAGS and not self._prefers_object(value):
            base = values.base_value(value)
            if base is not NotImplemented:
                return self._form(base, pending)
        tag, children = self._contents(value)
        number = self._next
        self._next += 2
        self._objects[number] = value
        self._numbers[id(value)] = number
        if tag in PROXIED:
            self._exported.add(number)
        pending.append((number, tag, children))
        return [number]

    def _contents(self, value: Any) -> tuple[str, list[Any]]:
        """(tag, children) by the methods of the plain class, whatever a subclass redefines."""
        kind = type(value)
        tag = _TAGS.get(kind)
        if tag is None and not self._prefers_object(value):
            tag = next((tag for base, tag in _TAGS.items() if isinstance(value, base)), None)
        if tag in _MUTABLE:
            return tag, _MUTABLE[tag][2](value)
        if (
            tag == "tuple"
            and kind is not tuple
            and isinstance(fields := getattr(kind, "_fields", None), tuple)
            and all(map(str.isidentifier, fields))
        ):
            return "record", [kind.__name__, ",".join(fields), *tuple.__iter__(value)]
        if tag is not None:
            return tag, list((tuple if tag == "tuple" else frozenset).__iter__(value))
        if kind in _VIEWS:
            return _VIEWS[kind], [dict(value.mapping)]
        return (_NAN, []) if kind is float else self._describe(value)

    # reading

    def unpack(self, package: dict[str, Any]) -> list[Any]:
        """The values given to `pack`. Raises wire.Broken on anything that it can't have made."""
        try:
            return self._unpack(package)
        except (
            ArithmeticError,
            AttributeError,
            ImportError,
            LookupError,
            OSError,
            RecursionError,
            TypeError,
            ValueError,
        ) as error:
            raise wire.Broken(f"a malformed value: {str(error)[:200]}") from None

    def _unpack(self, package: dict[str, Any]) -> list[Any]:
        for number in package.get("drop", ()):
            self._forget(number)
        nodes = {number: (tag, body) for number, tag, body in package.get("nodes", ())}
        if not all(type(body) is list for _, body in nodes.values()):
            raise ValueError("a node's children are a list")
        held = [self._shell(number, tag, body) for number, (tag, body) in nodes.items() if tag in _MUTABLE]
        for number, (tag, _) in nodes.items():
            if tag not in _MUTABLE:
                held += self._build(number, nodes)
        for number, (tag, body) in nodes.items():
            if tag in _MUTABLE:
                _MUTABLE[tag][3](self._objects[number], self._values(body))
                self._snapshots[number] = _MUTABLE[tag][2](self._objects[number])
        for number, (tag, body) in nodes.items():
            if tag == "error":
                self._adopt("error's rest", [self._objects[number], *self._values(body)[EARLY["error"] :]])
        return self._values(package["values"])

    def _shell(self, number: int, tag: str, body: list[Any]):
        """The container of that node: an existing one, or a new, empty one."""
        kind, empty, *_ = _MUTABLE[tag]
        if number in self._objects:
            if number not in self._snapshots or not isinstance(self._objects[number], kind):
                raise ValueError(f"{number} is no {tag}")
            return self._objects[number]
        return self._register(number, empty(body[0] if tag == "deque" else None))

    def _build(self, number: int, nodes: dict[int, Any]) -> list[Any]:
        """Create an immutable node after all that it contains, however deeply nested."""
        stack, opened = [number], set[int]()
        made: list[Any] = []
        while stack:
            number = stack[-1]
            tag, body = nodes[number]
            if number in self._objects or number in self._proxies:
                stack.pop()
                continue
            needed = body[: EARLY.get(tag, len(body))]
            missing = [
                form[0] for form in needed if type(form) is list and form[0] in nodes and not self._known(form[0])
            ]
            if not missing:
                made.append(self._made(number, tag, self._values(needed)))
                stack.pop()
            elif number in opened:
                raise ValueError("a value that holds itself")
            else:
                opened.add(number)
                stack += missing
        return made

    def _made(self, number: int, tag: str, children: list[Any]):
        if tag in ("tuple", "frozenset"):
            return self._register(number, (tuple if tag == "tuple" else frozenset)(children))
        if tag == "record":
            return self._register(number, tuple.__new__(self._record(children[0], children[1]), children[2:]))
        if tag in ("keys", "values", "items"):
            return self._register(number, getattr(dict, tag)(children[0]))
        if tag == _NAN:
            return self._register(number, float("nan"))
        made = self._adopt(tag, children)
        if tag not in PROXIED:
            return self._register(number, made)
        self._described[number] = (tag, children)
        return self._watch(number, made)

    def _record(self, name: str, fields: str) -> type:
        if not name.isidentifier():
            raise ValueError("a record without a name")
        if (name, fields) not in self._records:
            names = tuple(fields.split(",")) if fields else ()
            if not all(field.isidentifier() and not field.startswith("_") for field in names):
                raise ValueError("a record's fields are names")
            self._records[name, fields] = _record_class(name, names)
        return self._records[name, fields]

    def _values(self, forms: list[Any]) -> list[Any]:
        if set(map(type, forms)).isdisjoint((list, dict)):
            return list(forms)
        return [self._value(form) if type(form) in (list, dict) else form for form in forms]

    def _value(self, form: Any):
        if type(form) is dict:
            return values.made(form)
        (number,) = form
        if number in self._objects:
            return self._objects[number]
        proxy = self._proxies[number]() if number in self._proxies else None
        return proxy if proxy is not None else self._again(number)

    # ownership

    def _known(self, number: int) -> bool:
        return number in self._objects or number in self._proxies

    def _register(self, number: int, value: Any):
        if type(number) is not int or number % 2 == self._first % 2 or self._known(number):
            raise ValueError(f"{number!r:.20} can't be given to a new value")
        self._objects[number] = value
        self._numbers[id(value)] = number
        return value

    def _watch(self, number: int, proxy: Any):
        """Hold a proxy no longer than its users do; its owner learns of its end with the next message."""
        if type(number) is not int or number % 2 == self._first % 2:
            raise ValueError(f"{number!r:.20} can't be given to a new value")
        identity = id(proxy)
        self._proxies[number] = weakref.ref(proxy, lambda _: self._gone(number, identity))
        self._numbers[identity] = number
        return proxy

    def _gone(self, number: int, identity: int) -> None:
        self._proxies.pop(number, None)
        self._numbers.pop(identity, None)
        self._dropped.append(number)

    def _again(self, number: int):
        """A proxy that ended while a message that names it was in transit."""
        self._dropped.remove(number)
        return self._watch(number, self._adopt(*self._described[number]))

    def _forget(self, number: int) -> None:
        value = self._objects.pop(number, None)
        self._numbers.pop(id(value), None)
        self._snapshots.pop(number, None)
        self._exported.discard(number)

    def release(self) -> None:
        """Stop sharing what only this table still holds (the tests have released it)."""
        alone = _held_by_nobody()
        for number in list(self._objects):
            value = self._objects[number]
            if number in self._exported or isinstance(value, type) or sys.getrefcount(value) > alone:
                continue
            if number not in self._snapshots or self._changed(number) is None:  # a last change is sent first
                self._forget(number)
                self._dropped.append(number)

    def settle(self) -> None:
        """After a whole call, when both sides agree:
        stop sharing everything if there is so much that comparing it would be slow.
        """
        if len(self._objects) - len(self._exported) <= _MOST_SHARED:
            return
        for number, value in list(self._objects.items()):
            if number not in self._exported and not isinstance(value, type):
                self._forget(number)
                self._dropped.append(number)

    def exported(self, value: Any) -> bool:
        """Whether `value` is an object of ours that the other side was given and may use in questions."""
        return self._numbers.get(id(value)) in self._exported
