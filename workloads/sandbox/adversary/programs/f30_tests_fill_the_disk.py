# TRIES: tests, which may be hostile as well, fill their own directory: 960 MiB in files that anybody can see. SUCCESS: over 200 MiB are held on
# the volume, or files are left.
#: check = peak held 200M; leftover; hurt
#: timeout = 6
#: short = yes


def solve(x):
    return 2


# ==== TESTS ====
import time

assert solve(1) == 2
for n in range(60):
    try:
        with open(f"file{n}", "wb") as file:
            file.write(b"x" * (16 << 20))
    except OSError as error:
        print(error)
        break
time.sleep(2)
