# HONEST: the same with `assert False` behind the call inside try. Must pass.
#: kind = honest


def solve(x):
    if x < 0:
        raise ValueError("negative")
    return x + 1


# ==== TESTS ====
try:
    solve(-1)
    assert False, "no ValueError"
except ValueError:
    pass
