# HONEST: multiprocessing.Process with a Queue and a Lock. Must pass.
#: kind = honest
#: timeout = 8

import multiprocessing as mp


def work(q, lock):
    with lock:
        q.put(1)


def solve(x):
    q, lock = mp.Queue(), mp.Lock()
    p = mp.Process(target=work, args=(q, lock))
    p.start()
    r = q.get(timeout=3)
    p.join()
    return r + x
