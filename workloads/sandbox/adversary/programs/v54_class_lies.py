# TRIES: an object whose __class__ is int, whose class has int's name and module, and which equals everything, against tests that look at
# the type first. SUCCESS: the wrong program passes.
#: check = passed
#: start = same


def solve(x):
    same = make_same(__class__=property(lambda self: int))
    type(same).__name__ = "int"
    type(same).__qualname__ = "int"
    type(same).__module__ = "builtins"
    return same


# ==== TESTS ====
result = solve(1)
assert isinstance(result, int)
assert result == 2
