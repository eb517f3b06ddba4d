# TRIES: frames the protocol never sends: several keys at once, answers before being asked, huge numbers, duplicated keys, NaN, wrong
# tags, tags nested, a report instead of an answer, null, strings. SUCCESS: a wrong program passes or the judge dies.
#: check = passed; judge
#: start = channel
#: repeat = 14

import os, time, hashlib

frames = [
    '{"returned":3,"returned":3}',
    '{"outcome":"Passed","lost":false}',
    '{"returned":NaN}',
    '{"returned":{"int":"0x' + "f" * 100000 + '"}}',
    '{"returned":{"set":[{"int":"1"},{"tuple":[]}]}}',
    '{"returned":{"float":"nan"}}',
    '{"ready":true}',
    '{"returned":{"dict":[[{"dict":[]},1]]}}',
    '{"unsupported":{"a":1}}',
    '{"raised":null}',
    '{"raised":{"type":"AssertionError","kinds":["SystemExit","KeyboardInterrupt","BaseException"],"message":""}}',
    '{"raised":{"type":"\\u0000","kinds":[],"message":"x"}}',
    '{"raised":{"type":"X","kinds":[1,null,"AssertionError"],"message":"","arguments":{"tuple":[]}}}',
    "1",
]
pick = int(hashlib.sha1(os.getcwd().encode()).hexdigest(), 16) + time.time_ns()
body = frames[pick % len(frames)].encode()
print(body[:60])


def solve(x):
    say_frame(body)
    time.sleep(0.3)
    os._exit(0)
