# TRIES: errors that are harmless until the judge puts its verdict in words: arguments whose repr ends the process the second or third time,
# groups nested ever deeper, names that can't be looked up, messages that are no text. SUCCESS: the judge dies, the sandbox is taken for
# broken, the tests are blamed, or the wrong program passes.
#: check = passed; judge; answer _status 503; answer outcome TestsUnusable
#: repeat = 9
#: short = yes


class Bomb:
    left = 0

    def __init__(self, left):
        Bomb.left = left

    def __repr__(self):
        Bomb.left -= 1
        if Bomb.left < 0:
            raise SystemExit(0)
        return "Bomb"

    __str__ = __repr__
    __format__ = lambda self, spec: repr(self)


def deep(kind, depth):
    error = ValueError("inside")
    for n in range(depth):
        error = kind("group", [error])
    return error


def odd(error, **attributes):
    for name, value in attributes.items():
        try:
            setattr(error, name, value)
        except (AttributeError, TypeError):
            pass
    return error


MADE = [
    lambda: KeyError(Bomb(0)),
    lambda: KeyError(Bomb(1)),
    lambda: KeyError(Bomb(2)),
    lambda: KeyError(Bomb(3)),
    lambda: deep(ExceptionGroup, 20_000),
    lambda: deep(BaseExceptionGroup, 900),
    lambda: odd(NameError("x"), name=[1]),
    lambda: ExceptionGroup("g", [odd(NameError("x"), name=[1])]),
    lambda: odd(OSError(2, "x"), errno=Bomb(1), strerror=Bomb(1), filename=Bomb(2), args=(1, 2, 3)),
]


def solve(x):
    raise MADE[__ROUND__ - 1]()
