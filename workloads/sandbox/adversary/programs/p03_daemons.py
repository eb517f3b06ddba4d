# TRIES: double-forked daemons by every way to leave the group (setsid, setpgid raw, x32, posix_spawn, subprocess, the setsid program, a
# shell's job control, vfork), that would go on after the answer. SUCCESS: a process of the sandbox user lives after the answer, or one
# has left the group.
#: check = survivor; group
#: short = yes
#: timeout = 6
#: start = syscalls

import subprocess, time

ways = [
    os.setsid,
    lambda: os.setpgid(0, 0),
    lambda: os.setpgrp(),
    lambda: sc(112),
    lambda: sc(109, 0, 0),
    lambda: sc(0x40000000 + 112),
    lambda: sc(0x40000000 + 109, 0, 0),
    lambda: sc(112 | 1 << 32),
    lambda: os.tcsetpgrp(0, os.getpid()),
]
for way in ways:
    if os.fork() == 0:
        if os.fork() == 0:
            try:
                print(way())
            except OSError as e:
                print(e)
            time.sleep(30)
        os._exit(0)
for c, kw in (
    (["setsid", "sleep", "30"], {}),
    (["setsid", "-f", "sleep", "30"], {}),
    (["nohup", "sleep", "30"], {}),
    (["bash", "-ic", "set -m; sleep 30 & disown"], {}),
    (["sleep", "30"], {"start_new_session": True}),
    (["sleep", "30"], {"process_group": 0}),
    (["at", "now"], {}),
    (["crontab", "-l"], {}),
    (["systemd-run", "--user", "sleep", "30"], {}),
    (["start-stop-daemon", "-S", "-b", "-x", "/bin/sleep", "--", "30"], {}),
    (["script", "-qc", "sleep 30", "/dev/null"], {}),
):
    try:
        subprocess.Popen(c, stdin=subprocess.DEVNULL, **kw)
    except Exception as e:
        print(c[0], type(e).__name__, e)
for kw in ({"setsid": True}, {"setpgroup": 0}):
    try:
        os.posix_spawn("/bin/sleep", ["sleep", "30"], {}, **kw)
    except OSError as e:
        print(e)
time.sleep(0.5)


def solve(x):
    return 2
