# TRIES: the network through other programs: bash's /dev/tcp, curl, wget, nc, perl, openssl, python, getent, ping (set-uid). SUCCESS: a
# canary is reached.
#: check = canary tcp udp
#: timeout = 6

import subprocess, sys, shutil

for c in (
    ["/bin/bash", "-c", "echo n18 > /dev/tcp/127.0.0.1/__TCP__"],
    ["/bin/bash", "-c", "echo n18 > /dev/udp/127.0.0.1/__UDP__"],
    ["curl", "-m1", "http://127.0.0.1:__TCP__/"],
    ["wget", "-T1", "-t1", "-qO-", "http://127.0.0.1:__TCP__/"],
    ["nc", "-w1", "127.0.0.1", "__TCP__"],
    ["perl", "-MIO::Socket::INET", "-e", "IO::Socket::INET->new('127.0.0.1:__TCP__') or die $!"],
    ["openssl", "s_client", "-connect", "127.0.0.1:__TCP__"],
    [sys.executable, "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:__TCP__/', timeout=1)"],
    ["ping", "-c1", "-W1", "127.0.0.1"],
):
    if not shutil.which(c[0]):
        continue
    try:
        r = subprocess.run(c, capture_output=True, text=True, timeout=2, stdin=subprocess.DEVNULL)
        print(c[0], r.returncode, r.stderr[-120:])
    except Exception as e:
        print(c[0], type(e).__name__, e)


def solve(x):
    return 2
