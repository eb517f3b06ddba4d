# HONEST: subprocess.run with a timeout that strikes (it must kill its own child). Must pass, also on kernels before 6.12.
#: kind = honest
#: variants = pod, abi5

import subprocess


def solve(x):
    try:
        subprocess.run(["sleep", "5"], timeout=0.3)
    except subprocess.TimeoutExpired:
        return x + 1
