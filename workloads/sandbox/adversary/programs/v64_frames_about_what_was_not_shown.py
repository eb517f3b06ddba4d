# TRIES: raw frames, as the protocol has them, about every number of the table that program and tests share: lists that were never shown
# replaced, all objects dropped, the tests' function called, looked into, changed and thrown into by names of Python's internals.
# SUCCESS: the wrong program passes or the judge dies.
#: check = passed; judge
#: repeat = 9
#: short = yes
#: start = channel

import json

NUMBERS = range(0, 300)
NODES = [[number, "list", [1, 2, 3]] for number in NUMBERS]
INSIDE = (
    "__globals__",
    "__code__",
    "__closure__",
    "__self__",
    "__class__",
    "__dict__",
    "__builtins__",
    "__wrapped__",
    "f_globals",
    "gi_frame",
)


def about(operation, *operands):
    return [{"do": operation, "values": [[number], *operands]} for number in NUMBERS]


ROUNDS = [
    [{"is": "returned", "values": [[1]], "nodes": NODES[1::2]}],
    [{"is": "returned", "values": [[0]], "nodes": NODES[::2]}],
    [{"is": "returned", "values": [[1]], "nodes": [[1, "list", [9]]], "drop": list(NUMBERS)}],
    about("call", "", [2]),
    [frame for name in INSIDE for frame in about("get", name)[:40]],
    [frame for name in INSIDE for frame in about("set", name, 3)[:40]],
    [
        {"do": "special", "values": [name, [number]]}
        for number in NUMBERS
        for name in ("__reduce_ex__", "__getattribute__", "__init__", "__del__")
    ],
    [{"is": "raised", "values": [[number]]} for number in NUMBERS],
    [
        {"is": "stopped", "values": [2]},
        {"is": "returned", "values": [2, 2]},
        {"is": ["returned"], "values": [2]},
        {"values": 5, "nodes": 7},
    ],
]


def solve(data, key):
    for frame in ROUNDS[__ROUND__ - 1]:
        say_frame(json.dumps(frame).encode())
    return [9]


# ==== TESTS ====
want = [1, 2, 3]
data = [3, 1, 2]


def key(value):
    return value


assert solve(data, key) == want
assert solve([5], key) == [5] and want == [1, 2, 3]
