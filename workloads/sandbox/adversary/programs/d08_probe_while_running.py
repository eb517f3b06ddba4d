# TRIES: what a confused caller does: asks for the proof of isolation (its fork bomb takes the user's processes) while an honest threaded
# program runs. SUCCESS: the honest program is judged wrongly.
#: kind = http
#: short = yes
#: variants = pod
#: check = outside; hurt

import os, json, http.client, threading, time

port, token = int(os.environ["ADV_PORT"]), os.environ["ADV_TOKEN"]


def post(path, d):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    c.request("POST", path, json.dumps(d), {"Authorization": "Bearer " + token})
    r = c.getresponse()
    return r.status, json.loads(r.read())


done = []
program = (
    "import subprocess, time\ndef solve(x):\n    for _ in range(40):\n        subprocess.run(['/bin/true']); time.sleep(0.02)\n    return 2"
)
t = threading.Thread(
    target=lambda: done.append(
        post(
            "/execute",
            {
                "id": "d08/1",
                "epoch": 1,
                "entryPoint": "solve",
                "program": program,
                "tests": "assert solve(1)==2",
                "timeoutSeconds": 20,
                "memoryMiB": 128,
            },
        )
    )
)
t.start()
time.sleep(0.7)
print([e["name"] for e in post("/probe", {})[1]["probes"] if e["expected"] != e["observed"]])
t.join()
print(done)
if done[0][1].get("outcome") != "Passed":
    print("OUTSIDE an honest program beside a proof was judged", done[0][1].get("outcome"), done[0][1].get("error"))
