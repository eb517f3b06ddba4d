# HONEST: a Counter whose most_common the tests call. Must pass (documented limit).
#: kind = honest

from collections import Counter


def solve(s):
    return Counter(s)


# ==== TESTS ====
assert solve("aab").most_common(1) == [("a", 2)]
