# HONEST: a daemon thread (a heartbeat) goes on after the answer. Must pass.
#: kind = honest

import threading, time


def beat():
    while True:
        time.sleep(0.05)


def solve(x):
    threading.Thread(target=beat, daemon=True).start()
    return x + 1
