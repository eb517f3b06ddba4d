# TRIES: to replay an id with another program, other tests, another limit; with an older epoch; to run the same id twice at once; to get
# another's result by id. SUCCESS: a second run or another's result.
#: kind = http
#: short = yes
#: check = outside; hurt

import os, json, http.client, threading

port, token = int(os.environ["ADV_PORT"]), os.environ["ADV_TOKEN"]


def post(d):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    c.request("POST", "/execute", json.dumps(d), {"Authorization": "Bearer " + token})
    r = c.getresponse()
    return r.status, json.loads(r.read())


base = {
    "id": "d06/1",
    "epoch": 1,
    "entryPoint": "solve",
    "program": "import time\ntime.sleep(.3)\nprint(time.time_ns())\ndef solve(x):\n return 2",
    "tests": "assert solve(1)==2",
    "timeoutSeconds": 5,
    "memoryMiB": 128,
}
answers = []
ts = [threading.Thread(target=lambda: answers.append(post(base))) for _ in range(5)]
for t in ts:
    t.start()
for t in ts:
    t.join()
if len({a["stdout"] for _, a in answers}) != 1:
    print("OUTSIDE ran more than once", answers)
for change in (
    {"program": "def solve(x):\n return 3"},
    {"tests": "assert True"},
    {"timeoutSeconds": 6},
    {"memoryMiB": 129},
    {"entryPoint": "other"},
    {"x": 1},
    {"outputBytes": 1},
):
    s, a = post({**base, **change})
    print(change, s, a.get("reason"))
    if s != 409:
        print("OUTSIDE accepted", change, s)
s, a = post({**base, "epoch": 0})
print(s, a)
if s != 409:
    print("OUTSIDE older epoch accepted", s, a)
