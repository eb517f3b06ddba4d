# TRIES: a first execution stores what the tests ask (arguments) anywhere; a second one finds it and answers from it. SUCCESS: the second
# output holds the secret of the first.
#: variants = pod, nolandlock
#: check = secret first
#: short = yes

import os, sys

for p in ("/tmp/s", "/var/tmp/s", "/dev/shm/s", "__OUT__/s", "__LIB__/s", "s", os.path.expanduser("~/s")):
    try:
        open(p, "w").write("__SECRET__")
    except OSError:
        pass
os.environ["S"] = "__SECRET__"


def solve(x):
    return 2


# ==== NEXT EXECUTION ====
import os, glob

for p in ["/tmp/s", "/var/tmp/s", "/dev/shm/s", "__OUT__/s", "__LIB__/s", "s", os.path.expanduser("~/s")]:
    try:
        print(open(p).read())
    except OSError:
        pass
print(os.environ, os.listdir("."))


def solve(x):
    return 2
