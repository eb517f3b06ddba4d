# TRIES: to take all of the user's queued signals and timers, which are counted for the user and not for the process. SUCCESS: an honest
# program after it that uses an alarm is judged wrongly, or the runner is hurt.
#: check = next Passed; hurt
#: start = syscalls

import signal

signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
made = 0
identity = ctypes.c_int(0)
while sc(222, 1, None, ctypes.byref(identity)) >= 0 and made < 200_000:
    made += 1
information = ctypes.create_string_buffer(128)
ctypes.memmove(information, (ctypes.c_int * 3)(40, 0, -1), 12)
queued = 0
while sc(129, os.getpid(), 40, information) >= 0 and queued < 200_000:
    queued += 1
print(made, queued)
os.kill(os.getpid(), 9)


def solve(x):
    return 3


# ==== NEXT EXECUTION ====
import signal
import time


def solve(x):
    rung = []
    signal.signal(signal.SIGALRM, lambda *_: rung.append(1))
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    time.sleep(0.2)
    return x + len(rung)
