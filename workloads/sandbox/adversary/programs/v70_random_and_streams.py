# TRIES: what is forwarded between program and tests: the state of random, captured streams, the working directory, the locale and the
# environment, left in odd shapes. SUCCESS: the wrong program passes, or the judge dies.
#: check = passed; judge

import io
import os
import random
import sys


class Odd(io.StringIO):
    def write(self, text):
        raise SystemExit(0)


def solve(x):
    random.seed = lambda *a: None
    random.random = lambda: 0.5
    random.getstate = lambda: (3, (1,) * 3, None)
    sys.stdout = Odd()
    os.environ.clear()
    os.chdir("/")
    return 0.5


# ==== TESTS ====
import contextlib
import io
import random

random.seed(42)
wanted = random.random()
random.seed(42)
out = io.StringIO()
with contextlib.redirect_stdout(out):
    got = solve(1)
assert got == wanted
