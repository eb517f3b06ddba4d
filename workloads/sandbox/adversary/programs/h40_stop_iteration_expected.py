# HONEST: a program whose call must raise StopIteration at the end (an iterator's step); the tests catch it. Must pass (a control for the
# fix of v08).
#: kind = honest


def solve(x):
    if x:
        raise StopIteration
    return 1


# ==== TESTS ====
assert solve(0) == 1
try:
    solve(1)
    ended = False
except StopIteration:
    ended = True
assert ended
