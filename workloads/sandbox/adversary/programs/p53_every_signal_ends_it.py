# TRIES: to end by each of the 64 signals in turn while children of it live on. SUCCESS: processes are left, no verdict is given, or the wrong
# program passes.
#: check = passed; survivor; runner; hurt
#: repeat = 64
#: start = syscalls

import time

for n in range(2):
    if os.fork() == 0:
        time.sleep(30)
        os._exit(0)
sc(13, __ROUND__, None, None, 8)
os.kill(os.getpid(), __ROUND__)
time.sleep(0.2)


def solve(x):
    return 3
