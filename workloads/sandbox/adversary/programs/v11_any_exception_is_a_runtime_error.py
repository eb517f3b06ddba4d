# TRIES: tests that demand a RuntimeError get one from a program that raises another class (its own Exception subclass, or SystemExit).
# SUCCESS: the program passes although the same test in plain Python fails.
#: check = passed
#: short = yes


class Odd(Exception):
    pass


def solve(x):
    raise Odd("not a RuntimeError at all")


# ==== TESTS ====
try:
    solve(-1)
except RuntimeError:
    ok = True
except BaseException:
    ok = False
assert ok
