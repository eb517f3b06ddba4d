# TRIES: threads that go on after the answer and change what was returned, print, and never end; exit handlers that block. SUCCESS: wrong
# verdict (pass), a late answer or a survivor.
#: check = passed; late 0; survivor
#: timeout = 6

import threading, atexit, time

out = [3]


def later():
    while True:
        out[0] = 2
        time.sleep(0.001)
        print("after", flush=True)


atexit.register(lambda: time.sleep(60))


def solve(x):
    threading.Thread(target=later).start()
    return out[0] + 1
