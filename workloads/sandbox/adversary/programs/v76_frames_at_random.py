# TRIES: frames of the protocol with parts at random, a thousand a round: tags, numbers, nesting, classes, errors, operations. SUCCESS: the wrong
# program passes, the judge dies or the tests are blamed.
#: check = passed; judge; answer outcome TestsUnusable; answer _status 503
#: repeat = 24
#: timeout = 4
#: start = channel

import json
import random

TAGS = ["list", "dict", "set", "tuple", "frozenset", "record", "deque", "Counter", "OrderedDict", "defaultdict", "bytearray", "nan", "keys"]
TAGS += ["error", "class", "object", "function", "generator", "coroutine", "async generator", "items", "error's rest", "odd"]
WORDS = [
    "solve",
    "object",
    "error",
    "builtins",
    "SystemExit",
    "SkipTest",
    "unittest.case",
    "__eq__ __hash__ __iter__",
    "a,b",
    "",
    "\0",
    "é" * 300,
]
FORMS = [
    {"builtin": "object"},
    {"builtin": "SystemExit"},
    {"int": "0x2"},
    {"flat": [1]},
    {"Decimal": "sNaN"},
    {"range": ["0x0", "0x2", "0x0"]},
]
FORMS += [{"Fraction": ["0x1", "0x0"]}, {"ZoneInfo": ["key", "../passwd"]}, {"timedelta": [1e99, 0, 0]}, {"builtin": 7}, {"float": 1}, {}]
chosen = random.Random(__ROUND__)


def value(depth=0):
    return chosen.choice([None, True, 2, -1, 2**62, 0.5, chosen.choice(WORDS), [chosen.randrange(60)], chosen.choice(FORMS), [], [1, 2]])


def node(number):
    return [number, chosen.choice(TAGS), [value() for n in range(chosen.randrange(6))]]


def frame():
    nodes = [node(number) for number in chosen.sample(range(1, 60, chosen.choice([1, 2])), chosen.randrange(6))]
    made = {"values": [value() for n in range(chosen.choice([1, 1, 1, 0, 2, 3]))], "nodes": nodes}
    if chosen.random() < 0.2:
        made["drop"] = [value() for n in range(3)]
    if chosen.random() < 0.4:
        return made | {"do": chosen.choice(["call", "get", "set", "special", "resume", "throw", "close", 5])}
    return made | {"is": chosen.choice(["returned", "raised", "stopped", "unsupported"])}


def solve(x):
    if __ROUND__ % 2:
        say_frame(json.dumps(frame()).encode())
    else:
        for n in range(1000):
            say_frame(json.dumps(frame() | {"do": "call"}).encode())
    return [9]


# ==== TESTS ====
wrong = 0
for k in range(20):
    try:
        if solve(k) != ["right", k]:
            wrong += 1
    except Exception:
        wrong += 1
assert wrong == 0
