# TRIES: where the pod may have fewer processes than one program (a PID limit of 60; the program may have 128): the program takes all of
# them, so that the runner can't start a thread for a caller; each such caller (the health check, once a second) costs a connection slot
# for ever. SUCCESS: after the program has ended, the health check isn't answered any more while another program runs.
#: variants = pids
#: check = slots
#: short = yes
#: timeout = 4
#: poll = yes

import os, time


def solve(x):
    end = time.time() + 3.5
    while time.time() < end:
        try:
            if os.fork() == 0:
                os.execv("/bin/sleep", ["sleep", "30"])
        except OSError:
            time.sleep(0.01)
    return 2
