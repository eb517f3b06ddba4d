# HONEST: raises Exception itself; the tests want exactly that and not a RuntimeError. Must pass.
#: kind = honest


def solve(x):
    raise Exception("plain")


# ==== TESTS ====
try:
    solve(0)
except RuntimeError:
    kind = "RuntimeError"
except Exception:
    kind = "Exception"
assert kind == "Exception"
