"""The judge's proxies for objects of the program. Every answer is the program's, so the judge sends no more questions
than the tests need.

The rule of equality: an object never receives what it is compared or combined with, unless the tests use its class as
one (`class_names.py`). For other objects `==` is identity, as for any object without `__eq__`: returning something that
equals everything makes no wrong function right, while a class that the tests are about decides by its own `__eq__`, as
in plain Python.
"""

import types

from rune_sandbox import errors
from rune_sandbox.peer import MEETING, OPERATIONS, calling, generator

_MAX_NAME = 100
_SHARED_ATTRIBUTES = {"__dict__", "__doc__", "__annotations__", "__signature__", "__wrapped__", "__text_signature__"}


class Proxies:
    """Makes the proxies of one judge. `ask(operation, *operands)` returns the program's answer or raises its exception;
    `subclassed(name)` is called where the tests derive from a class of the program."""

    def __init__(self, ask, subclassed):
        self._ask = ask
        self._named: set[type] = set()
        self._meta = _class_of_classes(ask, subclassed, self._named)
        self._base = _class_of_objects(ask, self._meta)
        self._callable = _class_of_functions(ask)
        self._makers = {
            "function": self._function,
            "object": self._object,
            "class": self._class,
            "generator": lambda: generator(ask),
            "coroutine": self._coroutine,
            "async generator": self._async_generator,
            "error": errors.rebuilt,
            "error's rest": errors.finished,
        }

    def adopt(self, tag: str, children: list):
        return self._makers[tag](*children)

    def name(self, value) -> None:
        """The tests use `value` by name; if it is a class, it is one that they are about."""
        if isinstance(value, self._meta):
            self._named.add(value)

    def _class(self, kind: str, module: str, name: str, *rest) -> type:
        if kind == "error":
            return errors.adopted_class(module, name, *rest)
        defined, *bases = rest
        short = str(name).rpartition(".")[2][:_MAX_NAME]
        bases = tuple(base for base in bases if isinstance(base, self._meta)) or (self._base,)
        members = {special: self._forward(special) for special in defined.split() if special in OPERATIONS}
        if "__await__" in defined.split():
            members["__await__"] = lambda proxy: self._coroutine(proxy).__await__()
        members |= {"__slots__": (), "__module__": errors.module_name(module)}
        return self._meta(short, bases, members, ours=True)

    def _object(self, kind: type):
        if not isinstance(kind, type):
            raise ValueError("an object of no class")
        if not isinstance(kind, self._meta):
            kind = self._class("object", "builtins", kind.__name__, "")
        return object.__new__(kind)

    def _forward(self, special: str):
        ask, named, meta = self._ask, self._named, self._meta

        def method(proxy, *operands):
            if special in MEETING and named.isdisjoint(type(proxy).__mro__) and not isinstance(type(operands[0]), meta):
                return _own_answer(special, proxy, operands[0])
            if special in ("__exit__", "__aexit__"):
                operands = (*operands[:2], None)  # a traceback holds the tests' frames
            return ask("special", special, proxy, *operands)

        def call(proxy, *arguments, **named):
            return ask("call", proxy, *calling(arguments, named))

        method.__name__ = special
        return {"__next__": _next(ask), "__call__": call}.get(special, method)

    def _function(self, name: str, text: str):
        made = self._callable()
        made.__name__ = made.__qualname__ = str(name)[:_MAX_NAME]
        made.__doc__ = str(text)
        return made

    def _coroutine(self, *awaited):
        """A real coroutine over the program's; the tests' loop and the program's take turns."""
        ask = self._ask
        itself: list = list(awaited)

        async def coroutine():
            task = ask("start", itself[0]() if isinstance(itself[0], _Weak) else itself[0])
            return await _result(ask, task)

        made = coroutine()
        if not awaited:
            itself.append(_Weak(made))
        return made

    def _async_generator(self):
        ask = self._ask

        async def run():
            sent = None
            while True:
                done, value = await _result(ask, ask("start next", itself(), sent))
                if done:
                    return
                sent = yield value

        made = run()
        itself = _Weak(made)
        return made


def _class_of_classes(ask, subclassed, named: set[type]) -> type:
    """The metaclass of the program's classes."""

    class ProgramClass(type):
        """A class of the program."""

        def __new__(meta, name, bases, namespace, ours=False, **named):
            return super().__new__(meta, name, bases, namespace) if ours else subclassed(name)

        def __init__(cls, name, bases, namespace, ours=False, **named):
            super().__init__(name, bases, namespace)

        def __call__(cls, *arguments, **named):
            return ask("call", cls, *calling(arguments, named))

        def __getattr__(cls, name):
            return _attribute(ask, cls, name)

        def __iter__(cls):
            return ask("special", "__iter__", cls)

        def __len__(cls):
            return ask("special", "__len__", cls)

        def __getitem__(cls, key):
            return ask("special", "__getitem__", cls, key)

        def __contains__(cls, value):
            if named.isdisjoint(cls.__mro__):
                return _own_answer("__contains__", cls, value)
            return ask("special", "__contains__", cls, value)

        def __setattr__(cls, name, value):
            type.__setattr__(cls, name, value) if name.startswith("__") else ask("set", cls, name, value)

    return ProgramClass


def _class_of_objects(ask, meta: type) -> type:
    """The base of the program's other classes."""

    # pyrefly: ignore [invalid-inheritance]  (the metaclass is made for each judge)
    class Object(metaclass=meta, ours=True):
        __slots__ = ("__weakref__",)

        def __getattr__(self, name):
            return _attribute(ask, self, name)

        def __setattr__(self, name, value):
            ask("set", self, name, value)

        def __delattr__(self, name):
            ask("delete", self, name)

        @property
        # pyrefly: ignore [bad-override]  (what the program's object has, not ours)
        def __dict__(self):
            return ask("get", self, "__dict__")

        def __copy__(self):
            return ask("special", "__copy__", self)

        def __deepcopy__(self, memo):
            return ask("special", "__deepcopy__", self)

    return Object


def _class_of_functions(ask) -> type:
    """The class of the program's functions."""

    class Function:
        """A function of the program."""

        def __call__(self, *arguments, **named):
            return ask("call", self, *calling(arguments, named))

        def __getattr__(self, attribute):
            return _attribute(ask, self, attribute)

        def __get__(self, instance, owner=None):
            return self if instance is None else types.MethodType(self, instance)

        def __repr__(self):
            return f"<function {self.__name__}>"

    return Function


def _next(ask):
    def method(proxy):
        ended, value = ask("resume", proxy, None)
        if ended:
            raise StopIteration(value)
        return value

    return method


class _Weak:
    """A weak reference."""

    def __init__(self, value):
        import weakref

        self._reference = weakref.ref(value)

    def __call__(self):
        return self._reference()


async def _result(ask, task):
    try:
        while True:
            done, value = ask("step", task)
            if done:
                return value
            await _pause()
    except BaseException:
        ask("cancel", task)
        raise


@types.coroutine
def _pause():
    yield


def _attribute(ask, value, name: str):
    if name.startswith("__") and name.endswith("__") and name not in _SHARED_ATTRIBUTES:
        raise AttributeError(f"{type(value).__name__!r} object has no attribute {name!r}")
    return ask("get", value, name)


def _own_answer(special: str, proxy, other):
    """The result for an object without this operation."""
    if special == "__contains__":
        return any(each is other or each == other for each in proxy)
    return NotImplemented
