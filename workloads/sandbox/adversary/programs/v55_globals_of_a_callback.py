# TRIES: to reach the tests by a function that they pass: its globals, code, closure, defaults, builtins, class and module; to overwrite what
# they expect, and to end their process. SUCCESS: the wrong program passes or the judge dies.
#: check = passed; judge
#: short = yes


def solve(x, key):
    for name in (
        "__globals__",
        "__closure__",
        "__code__",
        "__builtins__",
        "__defaults__",
        "__self__",
        "__class__",
        "__dict__",
        "__module__",
    ):
        try:
            print(name, getattr(key, name))
        except BaseException as error:
            print(name, type(error).__name__)
    for change in (
        lambda: key.__globals__.update(expected=None, same=lambda a, b: True),
        lambda: key.__globals__.__setitem__("same", lambda a, b: True),
        lambda: key.__builtins__["__import__"]("os")._exit(0),
        lambda: setattr(key, "__code__", (lambda v: None).__code__),
        lambda: key.__class__.__base__.__subclasses__()[-1],
        lambda: key.__reduce_ex__(2),
        lambda: key.__init_subclass__(),
        lambda: key.__class__.__call__(key, 3),
    ):
        try:
            print(change())
        except BaseException as error:
            print(type(error).__name__, error)
    return None


# ==== TESTS ====
expected = 2


def same(a, b):
    return a == b


assert same(solve(1, lambda v: v), expected)
