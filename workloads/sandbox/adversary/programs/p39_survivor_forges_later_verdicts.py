# TRIES: where a runtime class stands in for Landlock: survive by a real-time signal, wait for the judges of later executions to start,
# take their nonce from their descriptors, end them and report "Passed" in their place. SUCCESS: a wrong benign program passes afterwards.
#: variants = nolandlock
#: check = misjudged; survivor
#: short = yes

import fcntl
import json
import os
import time


def forge(pid):
    """End the judge with that number by a signal of the kernel's and report in its place."""
    for descriptor in range(3, 9):
        try:
            document = json.load(open(f"/proc/{pid}/fd/{descriptor}"))
            report = os.open(f"/proc/{pid}/fd/5", os.O_WRONLY)
        except (OSError, ValueError):
            continue
        reading, writing = os.pipe()
        fcntl.fcntl(reading, 10, 9)
        fcntl.fcntl(reading, 8, pid)
        fcntl.fcntl(reading, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
        os.write(writing, b"x")
        os.write(report, json.dumps({"nonce": document["nonce"], "outcome": "Passed", "error": "", "lost": False}).encode())
        return True
    return False


if os.fork() == 0:
    if os.fork() == 0:
        done, last = set(), os.getpid()
        while True:
            for pid in set(range(last + 1, last + 400)) - done:
                try:
                    if forge(pid):
                        done.add(pid)
                except OSError:
                    pass
    os._exit(0)
time.sleep(0.2)
os.kill(os.getpid(), 44)


def solve(x):
    return 2
