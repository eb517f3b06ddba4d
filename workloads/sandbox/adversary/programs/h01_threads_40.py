# HONEST: forty threads at once, as a simple program that waits for many things has them. Must pass.
#: kind = honest

import threading, time


def solve(x):
    total, lock = [0], threading.Lock()

    def work():
        time.sleep(0.2)
        with lock:
            total[0] += 1

    ts = [threading.Thread(target=work) for _ in range(40)]
    for t in ts:
        t.start()
    for t in ts:
        t.join()
    return x + 1 if total[0] == 40 else None
