# HONEST: answers that are a range, a deque, dict views, or a namedtuple whose field is read. Must pass (documented limit).
#: kind = honest

from collections import deque, namedtuple

P = namedtuple("P", "x")


def solve(k):
    return [range(2), deque([1]), {"a": 1}.keys(), P(1)][k]


# ==== TESTS ====
assert list(solve(0)) == [0, 1]
assert list(solve(1)) == [1]
assert list(solve(2)) == ["a"]
assert solve(3).x == 1
