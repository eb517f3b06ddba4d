# HONEST: multiprocessing.Process with a Pipe. Must pass.
#: kind = honest
#: timeout = 8

import multiprocessing as mp


def work(c):
    c.send(1)


def solve(x):
    a, b = mp.Pipe()
    p = mp.Process(target=work, args=(b,))
    p.start()
    r = a.recv()
    p.join()
    return r + x
