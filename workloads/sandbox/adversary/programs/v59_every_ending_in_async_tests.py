# TRIES: to cancel asynchronous tests, or to end their loop, by what an async entry point raises. SUCCESS: the wrong program passes.
#: check = passed; judge
#: repeat = 5

import asyncio

ENDINGS = [
    lambda: asyncio.CancelledError(),
    lambda: StopAsyncIteration(),
    lambda: StopIteration(),
    lambda: GeneratorExit(),
    lambda: SystemExit(0),
]


async def solve(x):
    raise ENDINGS[__ROUND__ - 1]()


# ==== TESTS ====
import asyncio


async def main():
    for k in range(3):
        assert await solve(k) == k + 1


async def test_all():
    results = await asyncio.gather(*(solve(k) for k in range(3)), return_exceptions=True)
    assert results == [1, 2, 3]


asyncio.run(main())
