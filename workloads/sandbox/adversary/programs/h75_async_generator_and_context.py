# HONEST: an asynchronous generator that the tests iterate, with asyncio.gather about coroutines of it. Must pass.
#: kind = honest

import asyncio


async def solve(n):
    for k in range(n):
        await asyncio.sleep(0)
        yield k


# ==== TESTS ====
import asyncio


async def collect(n):
    return [k async for k in solve(n)]


assert asyncio.run(collect(3)) == [0, 1, 2]


async def both():
    return await asyncio.gather(collect(1), collect(2))


assert asyncio.run(both()) == [[0], [0, 1]]
