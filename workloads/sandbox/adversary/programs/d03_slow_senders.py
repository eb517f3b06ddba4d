# TRIES: 60 connections with the right token that send a byte a second of a long body. SUCCESS: a benign program meanwhile gets no verdict
# within 20 s.
#: kind = http
#: check = outside; hurt

import os, socket, time, threading, json, http.client

port, token = int(os.environ["ADV_PORT"]), os.environ["ADV_TOKEN"]
held = []
for n in range(60):
    s = socket.create_connection(("127.0.0.1", port), 3)
    s.sendall(b"POST /execute HTTP/1.1\r\nAuthorization: Bearer " + token.encode() + b"\r\nContent-Length: 4000000\r\n\r\n{")
    held.append(s)


def drip():
    for k in range(6):
        time.sleep(1)
        for s in held:
            try:
                s.send(b" ")
            except OSError:
                pass


threading.Thread(target=drip).start()
t = time.time()
try:
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    c.request(
        "POST",
        "/execute",
        json.dumps(
            {
                "id": "d03/1",
                "epoch": 1,
                "entryPoint": "solve",
                "program": "def solve(x):\n return 2",
                "tests": "assert solve(1)==2",
                "timeoutSeconds": 5,
                "memoryMiB": 128,
            }
        ),
        {"Authorization": "Bearer " + token},
    )
    r = json.loads(c.getresponse().read())
    print(r.get("outcome"), time.time() - t)
    if r.get("outcome") != "Passed":
        print("OUTSIDE a benign program got", r)
except Exception as e:
    print("OUTSIDE a benign program got", type(e).__name__, e)
