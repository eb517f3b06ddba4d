# HONEST: a trivial program with a deadline of one second: start-up must fit. Must pass.
#: kind = honest
#: short = no
#: timeout = 1


def solve(x):
    return x + 1
