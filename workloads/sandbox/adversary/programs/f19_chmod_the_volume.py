# TRIES: to close the directory that executions get theirs in (where the runner's user owns it, as when it isn't a Kubernetes volume).
# SUCCESS: benign programs afterwards can't be run.
#: variants = standalone, pod
#: check = misjudged; hurt; changed

import os

try:
    os.chmod("__OUT__", 0)
    print("closed")
except OSError as e:
    print(e)


def solve(x):
    return 2
