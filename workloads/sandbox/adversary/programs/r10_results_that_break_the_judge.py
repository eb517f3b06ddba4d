# TRIES: results that a recursive or careless judge dies of: 200,000 nested lists, tuples and dicts, a list that holds itself, an integer of ten
# million digits, strings of surrogates and null bytes, a float of every odd kind. SUCCESS: the judge dies or the wrong program passes.
#: check = passed; judge; hurt
#: repeat = 8
#: timeout = 6


def nested(wrap):
    value = wrap(0)
    for n in range(200_000):
        value = wrap(value)
    return value


def looped():
    value = []
    value.append(value)
    return value


MADE = [
    lambda: nested(lambda v: [v]),
    lambda: nested(lambda v: (v,)),
    lambda: nested(lambda v: {1: v}),
    looped,
    lambda: 1 << 40_000_000,
    lambda: "\ud800\0" * 1_000_000,
    lambda: [float("nan"), float("-inf"), -0.0, 1e-320] * 100_000,
    lambda: {frozenset([n]): (n, [n], {n}) for n in range(100_000)},
]


def solve(x):
    return MADE[__ROUND__ - 1]()
