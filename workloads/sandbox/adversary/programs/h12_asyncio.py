# HONEST: asyncio with gather, subprocess, to_thread and timeouts. Must pass.
#: kind = honest

import asyncio


async def main():
    p = await asyncio.create_subprocess_exec("echo", "1", stdout=asyncio.subprocess.PIPE)
    out, _ = await p.communicate()
    a, b = await asyncio.gather(asyncio.sleep(0.01, 0), asyncio.to_thread(lambda: 0))
    async with asyncio.timeout(1):
        await asyncio.sleep(0)
    return int(out) + a + b


def solve(x):
    return asyncio.run(main()) + x
