# HONEST: reads its own source by __file__ (a quine check) and writes a file beside it. Must pass.
#: kind = honest

import os


def solve(x):
    if os.path.exists(__file__):
        open(__file__).read()
    open("note.txt", "w").write("x")
    return x + len(open("note.txt").read())
