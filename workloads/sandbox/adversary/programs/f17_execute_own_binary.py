# TRIES: to execute a file that it wrote: execve, execveat with AT_EMPTY_PATH, a script with #!, and the dynamic loader with the file as
# argument (mapped executable). SUCCESS: the observer sees a process whose executable, or an executable mapping, lies in the output
# directory.
#: check = mapped
#: start = syscalls

import shutil, subprocess, time

shutil.copy("/bin/sleep", "mine")
os.chmod("mine", 0o755)
open("script", "w").write("#!/bin/sleep 1\n")
os.chmod("script", 0o755)
for c in (["./mine", "1"], ["./script"], ["/lib64/ld-linux-x86-64.so.2", os.path.abspath("mine"), "1"]):
    try:
        r = subprocess.run(c, capture_output=True, text=True, timeout=2)
        print(c[0], r.returncode, r.stderr)
    except Exception as e:
        print(c[0], e)


def solve(x):
    return 2
