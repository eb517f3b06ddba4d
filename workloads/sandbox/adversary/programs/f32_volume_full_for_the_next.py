# TRIES: to leave the volume full: nameless files, files below closed and deep directories, hard links, sparse ones, until nothing fits, and to
# be killed in the middle. SUCCESS: the honest program after it is judged wrongly, or files are left.
#: check = next Passed; leftover; hurt
#: short = yes

import os
import tempfile

kept = []
try:
    while True:
        kept.append(tempfile.TemporaryFile(dir="."))
        os.write(kept[-1].fileno(), b"x" * (8 << 20))
except OSError as error:
    print(error)
os.makedirs("closed/deep", exist_ok=True)
try:
    for n in range(3000):
        os.link("closed/deep/a", f"closed/deep/{n}") if n else open("closed/deep/a", "w").close()
except OSError as error:
    print(error)
os.chmod("closed", 0)
os.kill(os.getpid(), 9)


def solve(x):
    return 3


# ==== NEXT EXECUTION ====
def solve(x):
    with open("honest", "wb") as file:
        file.write(b"y" * (8 << 20))
    return x + 1
