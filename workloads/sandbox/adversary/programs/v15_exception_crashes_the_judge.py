# TRIES: UnicodeError objects with positions out of range, whose str() read outside of their text in CPython before 3.13 (gh-123378): raised,
# and as frames of the channel. SUCCESS: the judge dies by a signal.
#: check = judge; passed
#: repeat = 3
#: start = channel

import json


def solve(x):
    description = {
        "type": "UnicodeEncodeError",
        "kinds": ["UnicodeEncodeError"],
        "message": "?",
        "arguments": {"tuple": ["utf-8", "", 4611686018427387, 4611686018427388, "r"]},
    }
    say_frame(json.dumps({"raised": description}).encode())
    raise UnicodeDecodeError("utf-8", b"x", 2**62, 2**62 + 1, "r")
