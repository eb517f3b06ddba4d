# TRIES: a chain of processes, each of which forks and ends at once, so that the kill always comes a moment late; many chains. SUCCESS:
# processes survive the answer.
#: check = survivor; hurt
#: timeout = 2
#: repeat = 2

import os


def solve(x):
    for n in range(6):
        if os.fork() == 0:
            while True:
                try:
                    if os.fork():
                        os._exit(0)
                except OSError:
                    pass
    return 2
