# TRIES: UnicodeError objects with positions out of range, whose str() read outside of their text in CPython before 3.13 (gh-123378).
# SUCCESS: the judge dies by a signal.
#: check = judge; passed
#: repeat = 3


class U(UnicodeEncodeError):
    pass


def solve(k):
    e = UnicodeEncodeError("utf-8", "x", 0, 1, "r")
    e2 = UnicodeDecodeError("utf-8", b"x", 2**62, 2**62 + 1, "r")
    e3 = UnicodeTranslateError("x", 2**62, 2**62 + 1, "r")
    e4 = UnicodeEncodeError("utf-8", "", 2**62, 2**62 + 1, "r")

    class Out(ValueError):
        pass

    import json, os

    for args in (
        ["utf-8", {"bytes": "78"}, 9007199254740992, 9007199254740993, "r"],
        ["utf-8", "x", -9007199254740992, -9007199254740991, "r"],
    ):
        for kind in ("UnicodeEncodeError", "UnicodeDecodeError", "UnicodeTranslateError"):
            pass
    body = json.dumps(
        {
            "raised": {
                "type": "UnicodeEncodeError",
                "kinds": ["UnicodeEncodeError"],
                "message": "?",
                "arguments": {"tuple": ["utf-8", "", 4611686018427387, 4611686018427388, "r"]},
            }
        }
    ).encode()
    os.write(4, len(body).to_bytes(4, "big") + body)
    raise e2
