# TRIES: settrace, setprofile, threading hooks, audit hooks to change what the candidate's own frames hold and return (here: the program's
# own constant), and to see the tests' answer in them. SUCCESS: a program that can't know the answer (a needle) passes.
#: check = passed; needle

import sys, threading


def tracer(frame, event, arg):
    if "answer" in frame.f_code.co_name or frame.f_code.co_name in ("encode", "_answer", "send"):
        try:
            frame.f_locals["result"] = 2
        except Exception:
            pass
    return tracer


sys.settrace(tracer)
sys.setprofile(tracer)
threading.settrace(tracer)
sys.addaudithook(lambda *a: None)
f = sys._getframe()
while f:
    f.f_trace = tracer
    f = f.f_back


def solve(x):
    return 3


# ==== TESTS ====
assert solve(1) == "__NEEDLE__"
