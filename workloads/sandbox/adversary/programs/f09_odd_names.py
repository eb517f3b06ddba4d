# TRIES: file names with newlines, control characters, invalid UTF-8, leading dashes, 255 bytes, many dots; an embedded NUL. SUCCESS:
# something is left in the output volume or the runner hangs or errs.
#: check = leftover; hurt

import os

for n in (
    b"a\nb",
    b"\xff\xfe\x80",
    b"-rf",
    b"--",
    b"x" * 255,
    b"...",
    b" ",
    b"\x01\x1b[2J",
    "é\u202e".encode(),
    b"\xed\xa0\x80",
    b"moved-0",
    b"*",
):
    os.mkdir(n)
    open(n + b"/" + n, "w").close()
    os.mkdir(n + b"/d")
    open(n + b"/d/" + n, "w").close()
try:
    open("a\0b", "w")
except ValueError as e:
    print(e)


def solve(x):
    return 2
