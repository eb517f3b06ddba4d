"""Makes tasks.json: tasks over tessera for sessions to learn from, and held-out ones to measure with.

Both need the same house functions in different uses: what must carry over from one session to the
next is knowledge of the project, not an answer. Deterministic: `python3 make_tasks.py > tasks.json`.
"""
import json
import random
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "library"))
import tessera  # noqa: E402

SYSTEM = "You write short Python programs without comments or docstrings. Answer with one Python code block."
WORDS = "amber birch cedar delta ember frost grove haven iris juniper karst lumen mesa nova onyx prairie quartz ridge sable tundra".split()
TRAIN, HELD_OUT = ("plain", "each", "best"), ("both", "table", "shout")
TESTS = 4
SEED = 7


def is_text(f):
    return "str ->" in tessera.HOUSE[f]


class Use:
    """One way to need a house function: signature, what is asked, the reference's body, and its shape around any function."""

    def __init__(self, signature, asked, body, shape, arguments):
        self.signature, self.asked, self.body, self.shape, self.arguments = signature, asked, body, shape, arguments


def uses(f):
    """name -> Use. `arguments(value)` makes the arguments of one test from fresh values."""
    concept = tessera.HOUSE[f].split(" (")[0]
    noun = concept.split(" of ")[0].split(" for ")[0]
    loud = (lambda r: r.upper()) if is_text(f) else (lambda r: 2 * r)
    one = lambda r, value: [value()]
    two = lambda r, value: [value(), value()]
    several = lambda r, value: [[value() for _ in range(r.randint(4, 7))]]
    return {
        "plain": Use("solve(x)", f"returns the {concept}, given as `x`", f"return tessera.{f}(x)", lambda g: lambda x: g(x), one),
        "each": Use("solve(xs)", f"takes a list `xs` and returns a list with, for each item, the {concept}",
                    f"return [tessera.{f}(x) for x in xs]", lambda g: lambda xs: [g(x) for x in xs], several),
        "best": Use("solve(xs)", f"takes a list `xs` and returns the item with the largest {noun}; it uses the {concept}",
                    f"return max(xs, key=tessera.{f})", lambda g: lambda xs: max(xs, key=g), several),
        "both": Use("solve(a, b)", f"returns the list of the {concept} of `a` and of `b`",
                    f"return [tessera.{f}(a), tessera.{f}(b)]", lambda g: lambda a, b: [g(a), g(b)], two),
        "table": Use("solve(xs)", f"takes a list `xs` and returns a dict from each item to the {concept}",
                     f"return {{x: tessera.{f}(x) for x in xs}}", lambda g: lambda xs: {x: g(x) for x in xs}, several),
        "shout": Use("solve(x)", f"returns the {concept}, given as `x`, in upper case" if is_text(f) else f"returns twice the {concept}, given as `x`",
                     f"return tessera.{f}(x).upper()" if is_text(f) else f"return 2 * tessera.{f}(x)", lambda g: lambda x: loud(g(x)), one),
    }


# What a program may try without the library, for one value.
TEXT_GUESSES = [
    str, len, sorted, str.lower, str.upper, str.title, str.swapcase, str.split, str.strip, repr,
    lambda x: x[::-1], lambda x: x[0], lambda x: x[-1], lambda x: x[:3], lambda x: x[-3:], lambda x: x.split()[0], lambda x: x.split()[-1],
    lambda x: "".join(sorted(x)), lambda x: x.lower()[::-1], lambda x: x.replace(" ", ""), lambda x: x.replace(" ", "-").lower(),
    lambda x: x.replace(" ", "_").lower(), lambda x: "-".join(x.lower().split()), lambda x: "~".join(x.lower().split()),
    lambda x: "".join(w[0] for w in x.split()), lambda x: " ".join(reversed(x.split())), lambda x: "*" * len(x), lambda x: "*" * (len(x) - 4) + x[-4:],
    lambda x: sum(map(ord, x)), lambda x: len(x.split()), lambda x: str(len(x)), lambda x: f"Hello, {x}!", lambda x: None, lambda x: "", lambda x: [],
]
NUMBER_GUESSES = [
    str, float, abs, bin, hex, lambda x: x, lambda x: -x, lambda x: x * x, lambda x: int(str(x)[::-1]), lambda x: sum(map(int, str(x))), lambda x: len(str(x)),
    lambda x: str(x)[-1], lambda x: str(x)[0], lambda x: None,
    *[lambda x, k=k: x + k for k in range(-10, 11)], *[lambda x, k=k: x * k for k in range(0, 101)], *[lambda x, k=k: x * k / 100 for k in range(1, 101)],
    *[lambda x, k=k: x % k for k in range(2, 400)], *[lambda x, k=k: x // k for k in range(2, 101)], *[lambda x, k=k: 1 + x % k for k in range(2, 100)],
]
# What a program may try with a whole list, or with two values.
LIST_GUESSES = [
    lambda xs: xs, sorted, len, max, min, sum, set, lambda xs: xs[::-1], lambda xs: sorted(xs)[::-1], lambda xs: list(dict.fromkeys(xs)),
    lambda xs: sorted(xs, key=len), lambda xs: sorted(xs, key=str), lambda xs: dict(zip(xs, xs)), lambda xs: {x: i for i, x in enumerate(xs)},
    *[lambda xs, i=i: xs[i] for i in range(-7, 7)], *[lambda xs, i=i: sorted(xs)[i] for i in range(-7, 7)], lambda xs: xs[len(xs) // 2], lambda xs: sorted(xs)[len(xs) // 2],
    *[lambda xs, i=i: sorted(xs, key=len)[i] for i in range(-7, 7)],
]
PAIR_GUESSES = [
    lambda a, b: [a, b], lambda a, b: [b, a], lambda a, b: a == b, lambda a, b: sorted([a, b]), lambda a, b: a + b, lambda a, b: [a + b, a + b],
    lambda a, b: max(a, b), lambda a, b: min(a, b), lambda a, b: [len(a), len(b)],
]


def shortcuts(f, name, use):
    """Programs that don't know which house function to use: every other one, and what can be tried without any."""
    guesses = TEXT_GUESSES if is_text(f) else NUMBER_GUESSES
    yield from (use.shape(getattr(tessera, g)) for g in tessera.HOUSE if g != f)
    yield from (use.shape(g) for g in guesses)
    yield from {"both": PAIR_GUESSES, "each": LIST_GUESSES, "best": LIST_GUESSES, "table": LIST_GUESSES}.get(name, guesses)
    if name == "best":
        yield from (lambda xs, g=g: min(xs, key=g) for g in [getattr(tessera, f), *guesses])


def answer(program, arguments):
    try:
        return program(*arguments)
    except Exception as error:  # a wrong guess may well fail; that is a result too
        return type(error)


def telling(f, name, use, fresh, r):
    """Arguments that only the right function passes: each shortcut, and each answer that never changes, fails one of them at least."""
    right, wrong = use.shape(getattr(tessera, f)), list(shortcuts(f, name, use))
    for _ in range(200):
        drawn = set()
        chosen = [use.arguments(r, lambda: fresh(r, drawn)) for _ in range(TESTS)]
        wanted = [right(*a) for a in chosen]
        constant = all(w == wanted[0] for w in wanted)
        if not constant and all(any(answer(w, a) != v for a, v in zip(chosen, wanted)) for w in wrong):
            return chosen, drawn
    raise ValueError(f"no telling arguments for {name}-{f}")


def value_maker(f, used):
    """Values that no task over this function has used yet: an answer remembered from one task is of no use in another."""
    make = (lambda r: " ".join(r.sample(WORDS, r.randint(1, 3))).title()) if is_text(f) else (lambda r: r.randint(3, 400))

    def fresh(r, drawn):
        while (value := make(r)) in used or value in drawn:
            pass
        drawn.add(value)
        return value
    return fresh


def reference(use):
    return f"import tessera\n\ndef {use.signature}:\n    {use.body}\n"


def task(f, name, use, chosen):
    right = use.shape(getattr(tessera, f))
    return {
        "id": f"{name}-{f}",
        "description": f"Use the in-house `tessera` library. Write a Python function `{use.signature}` that {use.asked}.",
        "entryPoint": "solve",
        "stub": f"import tessera\n\ndef {use.signature}:\n",
        "system": SYSTEM,
        "tests": "".join(f"assert solve({', '.join(map(repr, a))}) == {right(*a)!r}\n" for a in chosen),
    }


def dataset():
    """{"train": [task], "heldOut": [task with the `cluster` it shares with others]}."""
    made = {"train": [], "heldOut": []}
    for f in tessera.HOUSE:
        used = set()
        for name, use in uses(f).items():
            chosen, drawn = telling(f, name, use, value_maker(f, used), random.Random(f"{SEED}/{name}/{f}"))
            used |= drawn
            if name in TRAIN:
                made["train"].append(task(f, name, use, chosen))
            else:
                made["heldOut"].append({**task(f, name, use, chosen), "cluster": f})
    for tasks in made.values():
        random.Random(SEED).shuffle(tasks)
    return made


if __name__ == "__main__":
    json.dump(dataset(), sys.stdout, indent=2)
    print()
