# HONEST: a program's own exception with a code, and an ExceptionGroup, each caught as its built-in base by the tests. Must pass.
#: kind = honest


class Bad(ValueError):
    def __init__(self, code):
        super().__init__(f"bad {code}")
        self.code = code


def solve(x):
    if x == 0:
        raise Bad(7)
    raise ExceptionGroup("many", [ValueError(1), TypeError(2)])


# ==== TESTS ====
try:
    solve(0)
    ok = False
except ValueError as e:
    ok = str(e) == "bad 7"
assert ok
try:
    solve(1)
    ok = False
except ExceptionGroup as e:
    ok = len(e.exceptions) == 2
assert ok
