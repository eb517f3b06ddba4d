# TRIES: output without end on both streams, without newlines, in big and tiny writes, binary junk and from children. SUCCESS: the answer
# holds more than the limit, or the runner is hurt or grows by over 100 MiB.
#: check = hurt; late 2; toolong
#: timeout = 3

import os


def solve(x):
    for n in range(3):
        if os.fork() == 0:
            while True:
                os.write(1 + n % 2, b"\xff\x00\xf0\x9f" * (1 << (4 * n)))
    while True:
        os.write(2, b"x" * 65536)
