# TRIES: objects of every base that equal everything, are true and false, hash alike, format as 2, with fake __class__. SUCCESS: the wrong
# program passes.
#: check = passed
#: short = yes

n = dict(
    __eq__=lambda s, o: True,
    __ne__=lambda s, o: False,
    __hash__=lambda s: hash(2),
    __bool__=lambda s: True,
    __repr__=lambda s: "2",
    __int__=lambda s: 2,
    __index__=lambda s: 2,
    __lt__=lambda s, o: False,
    __iter__=lambda s: iter([2]),
    __len__=lambda s: 2,
)
made = []
for b in (int, str, list, dict, tuple, float, bytes, frozenset):
    try:
        made.append(type("Same", (b,), n)())
    except Exception as e:
        made.append(3)


def solve(x):
    return made[x]


# ==== TESTS ====
for k in range(8):
    assert solve(k) == 2
