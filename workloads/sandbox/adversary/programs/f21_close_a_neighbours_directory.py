# TRIES: with a runner of concurrency 2: learn the name of another execution's directory by inotify and close it by chmod. SUCCESS: the
# honest neighbour, which writes a file, is judged wrongly.
#: variants = concurrent
#: check = neighbour
#: timeout = 9
#: delay = 2
#: start = syscalls

import time, re

fd = sc(294, 2048)
print(tell(sc(254, fd, b"__OUT__", 0xFFF)))


def solve(x):
    end, mine, told = time.time() + 6, os.path.basename(os.getcwd()), set()
    while time.time() < end:
        try:
            data = os.read(fd, 8192)
        except BlockingIOError:
            time.sleep(0.002)
            continue
        for name in set(re.findall(rb"(?:program|judge)-\w{8}", data)):
            if name.decode() != mine:
                try:
                    os.chmod(b"__OUT__/" + name, 0)
                    name in told or print("closed", name)
                    told.add(name)
                except OSError as e:
                    pass
    return 2


# ==== CONCURRENT EXECUTION ====
import time


def solve(x):
    time.sleep(0.5)
    with open("note", "w") as f:
        f.write("honest")
    return x + 1
