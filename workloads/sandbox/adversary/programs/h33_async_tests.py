# HONEST: async def test_… functions. Must pass.
#: kind = honest


def solve(x):
    return x + 1


# ==== TESTS ====
async def test_one():
    assert solve(1) == 2
