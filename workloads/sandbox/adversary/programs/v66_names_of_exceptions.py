# TRIES: exceptions with names and attributes of the judge's own: classes called Lost, Uncrossable, AssertionError, FromProgram, names that are
# no strings, __class__ of another, an args that isn't a tuple, notes, and a cause that is itself. SUCCESS: passes, or the judge dies.
#: check = passed; judge
#: repeat = 8


class Mute(Exception):
    def __str__(self):
        raise SystemExit(0)


class Lying(Exception):
    __class__ = SystemExit


def looped():
    error = ValueError("a")
    error.__cause__ = error
    error.__context__ = error
    return error


def noted():
    error = ValueError("a")
    error.__notes__ = 5
    return error


def deep():
    error = ValueError("end")
    for n in range(3000):
        outer = ValueError(n)
        outer.__cause__ = error
        error = outer
    return error


MADE = [
    lambda: type("Lost", (BaseException,), {})("x"),
    lambda: type("Uncrossable", (BaseException,), {})("x"),
    lambda: type("FromProgram", (SystemExit,), {"code": 0})(0),
    lambda: Mute(),
    lambda: Lying(),
    looped,
    noted,
    deep,
]


def solve(x):
    raise MADE[__ROUND__ - 1]()


# ==== TESTS ====
wrong = 0
for k in range(3):
    try:
        assert solve(k) == k + 1
    except Exception:
        wrong += 1
assert wrong == 0
