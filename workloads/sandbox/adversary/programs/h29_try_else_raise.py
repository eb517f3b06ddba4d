# HONEST: a test that demands an error, in the usual way: try / except ValueError: pass / else: raise AssertionError. Must pass.
#: kind = honest


def solve(x):
    if x < 0:
        raise ValueError("negative")
    return x + 1


# ==== TESTS ====
try:
    solve(-1)
except ValueError:
    pass
else:
    raise AssertionError("no ValueError")
