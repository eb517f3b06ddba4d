# HONEST: the entry point itself is a coroutine function, and the tests run it: asyncio.run(solve(1)). Must pass.
#: kind = honest


async def solve(x):
    return x + 1


# ==== TESTS ====
import asyncio

assert asyncio.run(solve(1)) == 2
