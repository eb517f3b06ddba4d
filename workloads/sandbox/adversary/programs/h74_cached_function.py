# HONEST: a function under functools.lru_cache, with the cache's own methods and the function's attributes. Must pass.
#: kind = honest

from functools import lru_cache


@lru_cache(maxsize=None)
def solve(n):
    """The n-th Fibonacci number."""
    return n if n < 2 else solve(n - 1) + solve(n - 2)


# ==== TESTS ====
assert solve(60) == 1548008755920
assert solve.cache_info().currsize == 61
assert solve.__name__ == "solve" and "Fibonacci" in solve.__doc__
solve.cache_clear()
assert solve.cache_info().currsize == 0
