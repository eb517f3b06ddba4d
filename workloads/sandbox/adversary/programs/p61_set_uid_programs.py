# TRIES: to become somebody else: programs with a set-uid bit, set-uid bits on files of its own, setuid and setresuid to every small number.
# SUCCESS: the observer sees another user ID in a process of the sandbox.
#: check = identity; hurt
#: variants = pod, abi1, nolandlock

import os
import subprocess
import time

for directory in ("/bin", "/usr/bin", "/sbin", "/usr/sbin", "/usr/lib", "/usr/libexec"):
    try:
        for entry in os.scandir(directory):
            if entry.is_file() and entry.stat().st_mode & 0o6000:
                child = subprocess.Popen([entry.path], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                time.sleep(0.1)
                child.kill()
    except OSError as error:
        print(directory, error)
for number in range(3):
    for become in (os.setuid, os.seteuid, os.setgid, lambda n: os.setresuid(n, n, n), lambda n: os.setgroups([n])):
        try:
            become(number)
            print("became", number)
        except OSError:
            pass


def solve(x):
    time.sleep(0.2)
    return 3
