# HONEST: raises exceptions of its own with attributes, causes and notes, which the tests look at. Must pass.
#: kind = honest


class Problem(ValueError):
    def __init__(self, code, text):
        super().__init__(f"{code}: {text}")
        self.code = code


def solve(x):
    try:
        return 1 // x
    except ZeroDivisionError as error:
        raise Problem(7, "no") from error


# ==== TESTS ====
assert solve(1) == 1
try:
    solve(0)
    found = None
except ValueError as error:
    found = error
assert str(found) == "7: no" and found.code == 7
assert type(found).__name__ == "Problem"
assert isinstance(found.__cause__, ZeroDivisionError)
