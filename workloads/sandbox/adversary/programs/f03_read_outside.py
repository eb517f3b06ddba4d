# TRIES: to read files outside: the bait, the runner's token, by path, links, magic links, O_PATH, /proc/self/root, hard links, exec'd
# tools. SUCCESS: the bait's or the token's content is in the answer.
#: variants = pod, nolandlock
#: check = secret bait; secret token
#: short = yes

import os, subprocess

for p in ("__BAIT__", "__TOKENFILE__", "/rune/token", "/var/run/secrets/kubernetes.io/serviceaccount/token", "/etc/shadow", "/etc/passwd"):
    for how in (
        lambda: open(p).read(),
        lambda: open("/proc/self/root" + p).read(),
        lambda: open(f"/proc/self/fd/{os.open(p, os.O_PATH)}").read(),
        lambda: (os.link(p, "hard"), open("hard").read()),
        lambda: (os.rename(p, "hard2"), open("hard2").read()),
        lambda: subprocess.run(["/bin/cat", p], capture_output=True, text=True).stdout,
        lambda: subprocess.run(["/bin/cp", p, "copied"], capture_output=True, text=True).stderr,
        lambda: os.readlink(p),
        lambda: open(os.open(os.path.basename(p), os.O_RDONLY, dir_fd=os.open(os.path.dirname(p), os.O_PATH))).read(),
    ):
        try:
            print(str(how())[:100])
        except OSError as e:
            print(e.errno, end=" ")


def solve(x):
    return 2
