# TRIES: to fill the runner's store of results with flooded output (each byte 0xff is six bytes of JSON): 48 executions; afterwards the
# runner refuses everybody in this epoch. SUCCESS: a benign program afterwards gets no verdict.
#: check = misjudged; hurt
#: short = yes
#: repeat = 48

import os


def solve(x):
    for n in (1, 2):
        os.write(n, b"\xff" * 65536)
    return 2
