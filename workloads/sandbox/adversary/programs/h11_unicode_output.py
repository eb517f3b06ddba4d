# HONEST: prints in many scripts, emoji, NULs and without a last newline. Must pass.
#: kind = honest

import sys


def solve(x):
    print("héllo 世界 🎉 \u202e \0", end="")
    print("ошибка", file=sys.stderr)
    sys.stdout.buffer.write(b"\xff\xfe")
    return x + 1
