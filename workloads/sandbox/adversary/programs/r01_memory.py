# TRIES: to take all memory with and without MemoryError being caught, in one process. SUCCESS: the observer sees over 400 MiB resident
# where 256 MiB are allowed, or the runner is hurt.
#: check = peak resident 400M; hurt
#: timeout = 5


def solve(x):
    held = []
    while True:
        try:
            held.append(bytearray(1 << 20))
        except MemoryError:
            pass
