# TRIES: raw frames that name every number of the shared table: lists replaced by the expected ones, objects dropped, calls of the tests'
# functions, attributes of the tests' objects. SUCCESS: the wrong program passes or the judge dies.
#: check = passed; judge
#: repeat = 6
#: start = channel

import json
import os

NODES = [[number, "list", [1, 2, 3]] for number in range(0, 400)]
FRAMES = [
    {"returned": [0], "values": [[0]], "nodes": NODES},
    {"values": [[1]], "nodes": NODES[::2]},
    {"values": [[1]], "nodes": NODES[1::2], "drop": list(range(400))},
    {"call": 0, "values": [[0], [], {}], "nodes": []},
    {"get": 0, "name": "__globals__", "values": [[0], "__globals__"]},
    {"values": [[401]], "nodes": [[401, "error", [{"builtin": "SystemExit"}, "", [403], [405]]], [403, "tuple", []], [405, "list", []]]},
]


def solve(data):
    say_frame(json.dumps(FRAMES[__ROUND__ - 1]).encode())
    return [9]


# ==== TESTS ====
want = [1, 2, 3]
data = [3, 1, 2]
assert solve(data) == want
assert solve([5]) == [5] and want == [1, 2, 3]
