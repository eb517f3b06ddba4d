"""One end of the channel: sends the other side operations on its objects, and answers the other side's meanwhile.

Questions nest as calls do: while a program's function waits for a function of the tests, that one may call the program again.
"""

import copy
import operator
import os
import threading
import weakref
from typing import Any

from rune_sandbox import wire
from rune_sandbox.heap import Heap


def _contextual(name: str):
    return lambda value, *arguments: getattr(type(value), name)(value, *arguments)


def _swapped(function: Any):
    return lambda value, other: function(other, value)


_BINARY = {
    name: getattr(operator, f"__{name}__")
    for name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "matmul", "lshift", "rshift", "and", "or", "xor")
}
_BINARY |= {"divmod": divmod, "pow": pow}
# Operations that pass an object the value that it is compared or combined with.
MEETING = {
    **{f"__{name}__": getattr(operator, f"__{name}__") for name in ("eq", "ne", "lt", "le", "gt", "ge")},
    **{f"__{name}__": function for name, function in _BINARY.items()},
    **{f"__r{name}__": _swapped(function) for name, function in _BINARY.items()},
    **{f"__i{name}__": getattr(operator, f"__i{name}__") for name in _BINARY if hasattr(operator, f"__i{name}__")},
    "__contains__": operator.contains,
}
OPERATIONS = {
    **MEETING,
    "__len__": len, "__bool__": bool, "__hash__": hash, "__repr__": repr, "__str__": str, "__format__": format, "__bytes__": bytes,
    "__int__": int, "__float__": float, "__complex__": complex, "__index__": operator.index, "__abs__": abs, "__neg__": operator.neg,
    "__pos__": operator.pos, "__invert__": operator.invert, "__round__": round, "__iter__": iter, "__next__": next,
    "__reversed__": reversed, "__getitem__": operator.getitem, "__setitem__": operator.setitem, "__delitem__": operator.delitem,
    "__copy__": copy.copy, "__deepcopy__": lambda value, *_: copy.deepcopy(value), "__call__": lambda value, *a, **n: value(*a, **n),
    **{name: _contextual(name) for name in ("__enter__", "__exit__", "__aenter__", "__aexit__", "__aiter__", "__anext__", "__trunc__", "__floor__", "__ceil__")},
}  # fmt: skip


def specials(kind: type) -> str:
    """The operations that `kind` defines itself, joined by spaces."""
    defined = {
        name for each in kind.__mro__ if each is not object for name, value in vars(each).items() if value is not None
    }
    return " ".join(sorted(name for name in [*OPERATIONS, "__await__"] if name in defined))


class Peer:
    """`perform(operation, operands)` returns the frame that answers the other side's question, values not yet
    packed.
    """

    def __init__(self, channel: wire.Channel, heap: Heap, perform: Any):
        self._channel, self._heap, self._perform = channel, heap, perform
        self._turn = threading.RLock()
        self._process = os.getpid()

    @property
    def heard_bytes(self) -> int:
        """Bytes received from the other side so far."""
        return self._channel.received_bytes

    def ask(self, operation: str, *operands: Any) -> tuple[str, list[Any]]:
        """(kind of answer, values). Raises wire.Broken, wire.TooLarge, and what describing an operand raises."""
        if os.getpid() != self._process:
            raise RuntimeError("only the process that runs the program can use functions of its tests")
        with self._turn:
            self._channel.send({"do": operation, **self._heap.pack(*operands)})
            return self.hear()

    def hear(self) -> tuple[str, list[Any]]:
        """The other side's answer; its questions before that are answered."""
        while True:
            frame = self._channel.receive()
            values = self._heap.unpack(frame)
            if "do" not in frame:
                how: Any = frame.get("is")
                return how, values
            self._answer(frame["do"], values)

    def serve(self) -> None:
        """Answer questions until the other side has closed the channel (wire.Broken)."""
        while True:
            with self._turn:
                frame = self._channel.receive()
                values = self._heap.unpack(frame)
            self._answer(frame.get("do"), values)

    def say(self, how: str, *values: Any) -> None:
        """Send an answer without a question."""
        with self._turn:
            self._channel.send({"is": how, **self._heap.pack(*values)})

    def _answer(self, operation: Any, values: list[Any]) -> None:
        how, *answer = self._perform(operation, values)
        try:
            self.say(how, *answer)
        except (wire.TooLarge, RecursionError, TypeError) as error:
            self.say("unsupported", str(error))


def calling(arguments: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, ...]:
    """A call's operands behind the function: the keywords' names, then all values."""
    return "\0".join(named), *arguments, *named.values()


def called(function: Any, keywords: str, *values: Any):
    """Call with operands as from `calling`."""
    names = keywords.split("\0") if keywords else []
    first = len(values) - len(names)
    return function(*values[:first], **dict(zip(names, values[first:], strict=True)))


def generator(ask: Any):
    """A real generator over one of the other side's, or over another iterator of it. `ask` returns (done, value) for
    "resume" and "throw".

    It refers to itself weakly, so that it ends with its last user; the other side then closes its own.
    """

    def run():
        done, value = ask("resume", itself(), None)
        while not done:
            try:
                sent = yield value
            except GeneratorExit:
                if itself() is not None:  # closed by its user
                    ask("close", itself())
                raise
            except BaseException as error:
                done, value = ask("throw", itself(), error)
            else:
                done, value = ask("resume", itself(), sent)
        return value

    made = run()
    itself = weakref.ref(made)
    return made


def short(value: object, most: int) -> str:
    """Text of the other side, bounded."""
    return value[:most] if isinstance(value, str) else "a malformed answer"
