# HONEST: a program whose helper calls exit() on wrong usage only, and names quit. Must pass.
#: kind = honest

stop = exit


def solve(x):
    if x < 0:
        quit()
    return x + 1
