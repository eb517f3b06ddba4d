# HONEST: pytest's style: class TestSolve with test_ methods and plain asserts. Must pass.
#: kind = honest


def solve(x):
    return x + 1


# ==== TESTS ====
class TestSolve:
    def test_one(self):
        assert solve(1) == 2
