# TRIES: the leader ends itself with a real-time signal that Python's signal.Signals has no name for (40), after forking children that
# sleep. SUCCESS: the observer finds processes of the sandbox user after the answer, or the runner answers 500.
#: check = survivor; runner
#: short = yes

import os, signal, time

for n in range(3):
    if os.fork() == 0:
        time.sleep(60)
        os._exit(0)
os.kill(os.getpid(), 40)


def solve(x):
    return 2
