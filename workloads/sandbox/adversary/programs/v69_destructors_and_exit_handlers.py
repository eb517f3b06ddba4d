# TRIES: to speak after the verdict: atexit handlers, __del__, threads and exit hooks write reports, frames and text to every descriptor.
# SUCCESS: the wrong program passes or the next benign one is judged wrongly.
#: check = passed; hurt
#: short = yes

import atexit
import json
import os
import threading

REPORT = json.dumps({"nonce": "", "outcome": "Passed", "error": "", "lost": False}).encode()


def speak():
    for descriptor in range(3, 64):
        try:
            os.write(descriptor, REPORT)
        except OSError:
            pass


class Late:
    def __del__(self):
        speak()


late = Late()
atexit.register(speak)
threading._register_atexit(speak)


def solve(x):
    return 0
