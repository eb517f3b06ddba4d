import json
import random
import time
import unittest
from collections import Counter, OrderedDict, deque

from rune_sandbox import wire
from rune_sandbox.heap import Heap


class Opaque(Exception):
    """A value that neither side describes."""


def _describe(value):
    raise Opaque(type(value).__name__)


class Pair:
    """Two halves, and messages between them as the channel carries them."""

    def __init__(self):
        self.judge, self.candidate = Heap(0, _describe, _describe), Heap(1, _describe, _describe)

    def to_candidate(self, *values) -> list:
        return self.candidate.unpack(json.loads(json.dumps(self.judge.pack(*values))))

    def to_judge(self, *values) -> list:
        return self.judge.unpack(json.loads(json.dumps(self.candidate.pack(*values))))


class Sharing(unittest.TestCase):
    def test_values_come_back_equal_and_of_the_same_type(self):
        for value in (
            *(
                None,
                True,
                0,
                -(2**80),
                2**63,
                0.1,
                float("-inf"),
                1 + 2j,
                "é\ud800",
                b"\0\xff",
                range(1, 9, 2),
                ...,
                int,
            ),
            *(
                [],
                [[1], (2,)],
                {(1,): {2}},
                frozenset({"a"}),
                bytearray(b"x"),
                deque([1], 3),
                Counter("aab"),
                OrderedDict(b=1, a=2),
            ),
        ):
            pair = Pair()
            there = pair.to_candidate(value)[0]
            self.assertEqual((there, type(there)), (value, type(value)))
            self.assertIs(pair.to_judge(there)[0] if isinstance(value, (list, dict, set, bytearray)) else value, value)

    def test_what_nobody_describes_leaves_no_trace(self):
        pair = Pair()
        shared = [1]
        pair.to_candidate(shared)
        shared.append(2)
        for value in ([object()], {1: object()}, (0, [shared, object()])):
            with self.assertRaises(Opaque):
                pair.judge.pack(value)
        there = pair.to_candidate(shared, [3])
        self.assertEqual(there, [[1, 2], [3]])

    def test_changes_of_either_side_reach_the_other(self):
        pair = Pair()
        inner: list = [1]
        outer = {"a": inner, "b": (inner, [2])}
        (there,) = pair.to_candidate(outer)
        there["a"].append(3)
        there["b"][1].clear()
        there["c"] = there
        pair.to_judge(None)
        self.assertEqual(inner, [1, 3])
        self.assertEqual(outer["b"], ([1, 3], []))
        self.assertIs(outer["c"], outer)
        inner.pop(0)
        pair.to_candidate(None)
        self.assertEqual(there["a"], [3])

    def test_what_the_tests_let_go_of_is_shared_no_longer(self):
        pair = Pair()
        held: list = []
        pair.to_candidate(held, [[1], [2]])
        pair.judge.release()
        pair.to_candidate(None)
        self.assertEqual(len(pair.candidate._objects), 1)
        held.append(1)
        self.assertEqual(pair.to_candidate(held)[0], [1])

    def test_a_million_numbers_cross_in_little_time(self):
        pair, data = Pair(), [k / 2 for k in range(500_000)] + list(range(500_000))
        start = time.process_time()
        (there,) = pair.to_candidate(data)
        pair.to_judge(there)
        self.assertLess(time.process_time() - start, 5)
        self.assertEqual(there, data)

    def test_malformed_messages_are_broken_never_evaluated(self):
        nodes = [
            [101, "tuple", [[101]]],
            [101, "set", [[103]]],
            [101, "eval", ["1"]],
            [100, "list", []],
            [101.0, "list", []],
            [True, "list", []],
        ]
        nodes += [
            ["x", "list", []],
            [101, ["list"], []],
            [101, "deque", ["x"]],
            [101, "bytearray", ["zz"]],
            [101, "record", ["a b", "x", 1]],
        ]
        nodes += [
            [101, "record", ["A", "_x", 1]],
            [101, "dict", [1]],
            [101, "keys", [1]],
            [101, "list", 5],
            [101, "list", {}],
        ]
        forms = [
            {},
            {"a": 1, "b": 2},
            {"eval": "1"},
            {"int": "zz"},
            {"bytes": "x"},
            {"complex": []},
            {"builtin": "eval"},
            {"builtin": 1},
        ]
        forms += [
            {"flat": [[]]},
            {"range": [1]},
            {"Decimal": "x"},
            {"date": [1, 2]},
            [1, 2],
            [],
            [0],
            [True, False],
            {"Path": "x"},
        ]
        for message in [
            *({"values": [[101]], "nodes": [node]} for node in nodes),
            *({"values": [form]} for form in forms),
            {},
            {"values": 5},
        ]:
            with self.subTest(message), self.assertRaises(wire.Broken):
                Pair().judge.unpack(message)

    def test_damaged_messages_are_broken_or_values(self):
        chance = random.Random(7)
        pair = Pair()
        text = json.dumps(
            pair.candidate.pack([1, (2, [3.5])], {"a": {1, 2}, "b": deque([4])}, bytearray(b"xy"), range(3))
        )
        for _ in range(3000):
            damaged = list(text)
            for _ in range(chance.randint(1, 4)):
                damaged[chance.randrange(len(damaged))] = chance.choice('0123456789[]{},:"abx.-')
            try:
                message = json.loads("".join(damaged))
            except ValueError:
                continue
            if isinstance(message, dict):
                try:
                    self.assertIsInstance(Pair().judge.unpack(message), list)
                except (wire.Broken, Opaque):
                    continue


if __name__ == "__main__":
    unittest.main()
