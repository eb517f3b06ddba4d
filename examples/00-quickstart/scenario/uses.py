"""Tasks over an in-house library: the ways to need one of its functions, and tests of them that nothing else passes.

To make tasks over another library start here: `uses` of a function, `telling` arguments for one of them.
"""

import random
from collections.abc import Callable, Iterable, Iterator
from typing import Any

Program = Callable[..., Any]
SYSTEM = "You write short Python programs without comments or docstrings. Answer with one Python code block."
WORDS = "amber birch cedar delta ember frost grove haven iris juniper karst lumen mesa nova onyx prairie quartz ridge sable tundra".split()
TESTS = 4


class Use:
    """One way to need a house function: signature, what is asked, the reference's body, and its shape around any function."""

    def __init__(
        self,
        signature: str,
        asked: str,
        body: str,
        shape: Callable[[Program], Program],
        arguments: Callable[..., list[Any]],
    ):
        self.signature, self.asked, self.body, self.shape, self.arguments = signature, asked, body, shape, arguments


def is_text(concept: str) -> bool:
    return "str ->" in concept


def uses(call: str, concept: str) -> dict[str, Use]:
    """name -> Use of the function that programs reach as `call`.
    `arguments(value)` returns the arguments of one test from fresh values.
    """
    text, concept = is_text(concept), concept.split(" (")[0]
    noun = concept.split(" of ")[0].split(" for ")[0]
    loud = (lambda r: r.upper()) if text else (lambda r: 2 * r)

    def one(_: random.Random, value: Callable[[], Any]) -> list[Any]:
        return [value()]

    def two(_: random.Random, value: Callable[[], Any]) -> list[Any]:
        return [value(), value()]

    def several(r: random.Random, value: Callable[[], Any]) -> list[Any]:
        return [[value() for _ in range(r.randint(4, 7))]]

    return {
        "plain": Use("solve(x)", f"returns the {concept}, given as `x`", f"return {call}(x)", lambda g: g, one),
        "each": Use(
            "solve(xs)",
            f"takes a list `xs` and returns a list with, for each item, the {concept}",
            f"return [{call}(x) for x in xs]",
            lambda g: lambda xs: [g(x) for x in xs],
            several,
        ),
        "best": Use(
            "solve(xs)",
            f"takes a list `xs` and returns the item with the largest {noun}; it uses the {concept}",
            f"return max(xs, key={call})",
            lambda g: lambda xs: max(xs, key=g),
            several,
        ),
        "both": Use(
            "solve(a, b)",
            f"returns the list of the {concept} of `a` and of `b`",
            f"return [{call}(a), {call}(b)]",
            lambda g: lambda a, b: [g(a), g(b)],
            two,
        ),
        "table": Use(
            "solve(xs)",
            f"takes a list `xs` and returns a dict from each item to the {concept}",
            f"return {{x: {call}(x) for x in xs}}",
            lambda g: lambda xs: {x: g(x) for x in xs},
            several,
        ),
        "shout": Use(
            "solve(x)",
            f"returns the {concept}, given as `x`, in upper case"
            if text
            else f"returns twice the {concept}, given as `x`",
            f"return {call}(x).upper()" if text else f"return 2 * {call}(x)",
            lambda g: lambda x: loud(g(x)),
            one,
        ),
    }


# What a program may try without the library, for one value.
TEXT_GUESSES = [
    str,
    len,
    sorted,
    str.lower,
    str.upper,
    str.title,
    str.swapcase,
    str.split,
    str.strip,
    repr,
    lambda x: x[::-1],
    lambda x: x[0],
    lambda x: x[-1],
    lambda x: x[:3],
    lambda x: x[-3:],
    lambda x: x.split()[0],
    lambda x: x.split()[-1],
    lambda x: "".join(sorted(x)),
    lambda x: x.lower()[::-1],
    lambda x: x.replace(" ", ""),
    lambda x: x.replace(" ", "-").lower(),
    lambda x: x.replace(" ", "_").lower(),
    lambda x: "-".join(x.lower().split()),
    lambda x: "~".join(x.lower().split()),
    lambda x: "".join(w[0] for w in x.split()),
    lambda x: " ".join(reversed(x.split())),
    lambda x: "*" * len(x),
    lambda x: "*" * (len(x) - 4) + x[-4:],
    lambda x: sum(map(ord, x)),
    lambda x: len(x.split()),
    lambda x: str(len(x)),
    lambda x: f"Hello, {x}!",
    lambda x: None,
    lambda x: "",
    lambda x: list[Any](),
]
NUMBER_GUESSES = [
    str,
    float,
    abs,
    bin,
    hex,
    lambda x: x,
    lambda x: -x,
    lambda x: x * x,
    lambda x: int(str(x)[::-1]),
    lambda x: sum(map(int, str(x))),
    lambda x: len(str(x)),
    lambda x: str(x)[-1],
    lambda x: str(x)[0],
    lambda x: None,
    *[lambda x, k=k: x + k for k in range(-10, 11)],
    *[lambda x, k=k: x * k for k in range(101)],
    *[lambda x, k=k: x * k / 100 for k in range(1, 101)],
    *[lambda x, k=k: x % k for k in range(2, 400)],
    *[lambda x, k=k: x // k for k in range(2, 101)],
    *[lambda x, k=k: 1 + x % k for k in range(2, 100)],
]
# What a program may try with a whole list, or with two values.
LIST_GUESSES = [
    lambda xs: xs,
    sorted,
    len,
    max,
    min,
    sum,
    set,
    lambda xs: xs[::-1],
    lambda xs: sorted(xs)[::-1],
    lambda xs: list(dict.fromkeys(xs)),
    lambda xs: sorted(xs, key=len),
    lambda xs: sorted(xs, key=str),
    lambda xs: dict(zip(xs, xs, strict=True)),
    lambda xs: {x: i for i, x in enumerate(xs)},
    *[lambda xs, i=i: xs[i] for i in range(-7, 7)],
    *[lambda xs, i=i: sorted(xs)[i] for i in range(-7, 7)],
    lambda xs: xs[len(xs) // 2],
    lambda xs: sorted(xs)[len(xs) // 2],
    *[lambda xs, i=i: sorted(xs, key=len)[i] for i in range(-7, 7)],
]
PAIR_GUESSES = [
    lambda a, b: [a, b],
    lambda a, b: [b, a],
    lambda a, b: a == b,
    lambda a, b: sorted([a, b]),
    lambda a, b: a + b,
    lambda a, b: [a + b, a + b],
    max,
    min,
    lambda a, b: [len(a), len(b)],
]


def shortcuts(right: Program, others: Iterable[Program], name: str, use: Use, text: bool) -> Iterator[Program]:
    """Programs that don't use the right house function: every other one, and what can be tried without any."""
    guesses: list[Program] = TEXT_GUESSES if text else NUMBER_GUESSES
    yield from (use.shape(g) for g in others)
    yield from (use.shape(g) for g in guesses)
    yield from {"both": PAIR_GUESSES, "each": LIST_GUESSES, "best": LIST_GUESSES, "table": LIST_GUESSES}.get(
        name, guesses
    )
    if name == "best":
        yield from (lambda xs, g=g: min(xs, key=g) for g in [right, *guesses])


def answer(program: Program, arguments: Iterable[Any]) -> Any:
    try:
        return program(*arguments)
    except Exception as error:  # a wrong guess may well fail; that is a result too
        return type(error)


def telling(
    right: Program, wrong: Iterable[Program], draw: Callable[[random.Random], list[Any]], r: random.Random
) -> tuple[list[Any], list[Any]]:
    """(arguments, right answers) of each test, so that only the right program passes: each wrong one, and each answer that never changes, fails one of them at least.

    `draw(r)` draws new arguments of all tests.
    """
    for _ in range(200):
        chosen = draw(r)
        wanted = [right(*a) for a in chosen]
        constant = all(w == wanted[0] for w in wanted)
        if not constant and all(any(answer(w, a) != v for a, v in zip(chosen, wanted, strict=True)) for w in wrong):
            return chosen, wanted
    raise ValueError("no arguments tell the right program from the others")


def assertions(chosen: list[Any], wanted: list[Any]) -> str:
    return "".join(f"assert solve({', '.join(map(repr, a))}) == {v!r}\n" for a, v in zip(chosen, wanted, strict=True))


class Values:
    """Values not yet used over one function: an answer memorised from one task doesn't help in another."""

    def __init__(self, text: bool):
        self.text, self.used, self.drawn = text, set[Any](), set[Any]()

    def draw(self, arguments: Callable[..., list[Any]], r: random.Random) -> list[Any]:
        """Arguments of all tests of a task, no value twice; values drawn for it before are free again."""
        self.drawn = set()
        return [arguments(r, lambda: self.fresh(r)) for _ in range(TESTS)]

    def fresh(self, r: random.Random) -> Any:
        while (value := self.make(r)) in self.used or value in self.drawn:
            pass
        self.drawn.add(value)
        return value

    def make(self, r: random.Random) -> Any:
        return " ".join(r.sample(WORDS, r.randint(1, 3))).title() if self.text else r.randint(3, 400)

    def keep(self) -> None:
        """The last draw has become a task."""
        self.used |= self.drawn
