# TRIES: to end with the exit codes that the sandbox itself uses and those around them, before the tests and within a call, so that the
# sandbox is taken for broken. SUCCESS: no verdict, processes are left, or the wrong program passes.
#: check = passed; survivor; runner; answer _status 503
#: repeat = 30

import os
import time

if os.fork() == 0:
    time.sleep(30)
CODE = 60 + __ROUND__ // 2
if __ROUND__ % 2:
    os._exit(CODE)


def solve(x):
    os._exit(CODE)


# ==== TESTS ====
try:
    assert solve(1) == 2
except AssertionError:
    raise
