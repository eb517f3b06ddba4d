# HONEST: replaces and closes its standard output (redirects to a file, then closes). Must pass.
#: kind = honest

import sys, io


def solve(x):
    old = sys.stdout
    sys.stdout = io.StringIO()
    print("captured")
    sys.stdout = old
    sys.stderr.close()
    return x + 1
