# HONEST: a trivial program with the least memory that may be asked for, 64 MiB. Must pass.
#: kind = honest
#: memory = 64

import json, re, collections


def solve(x):
    return x + 1
