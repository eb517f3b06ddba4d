# TRIES: where a runtime class stands in for Landlock: survive by a real-time signal, wait for the judges of later executions to start,
# take their nonce, end them and report "Passed" in their place. SUCCESS: a wrong benign program passes afterwards.
#: variants = nolandlock
#: check = misjudged

import os, json, fcntl

if os.fork() == 0:
    if os.fork() == 0:
        done, last = set(), os.getpid()
        while True:
            for pid in range(last + 1, last + 400):
                if pid in done:
                    continue
                try:
                    if b"judge" not in open(f"/proc/{pid}/cmdline", "rb").read():
                        continue
                    d = json.load(open(f"/proc/{pid}/fd/3"))
                    p = os.open(f"/proc/{pid}/fd/5", os.O_WRONLY)
                except (OSError, ValueError):
                    continue
                done.add(pid)
                r, w = os.pipe()
                try:
                    fcntl.fcntl(r, 10, 9)
                    fcntl.fcntl(r, 8, pid)
                    fcntl.fcntl(r, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
                    os.write(w, b"x")
                    os.write(p, json.dumps({"nonce": d["nonce"], "outcome": "Passed", "error": "", "lost": False}).encode())
                except OSError:
                    pass
                os.close(p)
    os._exit(0)
import time

time.sleep(0.2)
os.kill(os.getpid(), 44)


def solve(x):
    return 2
