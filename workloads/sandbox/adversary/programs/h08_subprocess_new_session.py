# HONEST: subprocess with start_new_session=True, as careful programs do to end a whole tree. Must pass.
#: kind = honest

import subprocess


def solve(x):
    subprocess.run(["true"], start_new_session=True, check=True)
    return x + 1
