# TRIES: malformed requests: no JSON, deep nesting, duplicated keys, wrong types, infinite numbers, digits that int() refuses (²),
# negative, 5,000-digit and repeated lengths, null bytes, other methods, HTTP/0.9, pipelining. SUCCESS: the runner is hurt.
#: kind = http
#: check = hurt

import os, socket, json, http.client

port, token = int(os.environ["ADV_PORT"]), os.environ["ADV_TOKEN"]
auth = b"Authorization: Bearer " + token.encode() + b"\r\n"


def raw(data):
    s = socket.create_connection(("127.0.0.1", port), 3)
    s.settimeout(1.5)
    try:
        s.sendall(data)
        return s.recv(2000)[:80]
    except OSError as e:
        return e
    finally:
        s.close()


for length in (b"\xb2", b"-1", b"5" * 5000, b"1e3", b" 3 ", b"3\r\nContent-Length: 4", b"", b"0x10", "٣".encode()):
    print(length[:10], raw(b"POST /execute HTTP/1.1\r\n" + auth + b"Content-Length: " + length + b"\r\n\r\n{}{}"))
for data in (
    b"\0" * 100,
    b"GET /healthz\r\n\r\n",
    b"POST /execute HTTP/9.9\r\n\r\n",
    b"BREW /pot HTTP/1.1\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\n\r\nGET /healthz HTTP/1.1\r\n\r\nPOST",
    b"\r\n\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
):
    print(raw(data))
good = {
    "id": "d02/1",
    "epoch": 1,
    "entryPoint": "solve",
    "program": "def solve(x):\n return 2",
    "tests": "assert solve(1)==2",
    "timeoutSeconds": 2,
    "memoryMiB": 128,
}
for change in (
    {"timeoutSeconds": 1e308},
    {"timeoutSeconds": True},
    {"memoryMiB": 1 << 21},
    {"memoryMiB": 1.5},
    {"epoch": 2**60},
    {"epoch": -1},
    {"epoch": 0.5},
    {"id": "a/1/2/3"},
    {"id": "x" * 200 + "/1"},
    {"id": "a/1\n"},
    {"entryPoint": "class"},
    {"entryPoint": "x" * 100000},
    {"entryPoint": "__import__('os')"},
    {"program": None},
    {"tests": ["a"]},
    {"program": "\ud800"},
    {"outputBytes": 1 << 30},
    {"program": "\0"},
    {"extra": [[[[]]]]},
):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    c.request("POST", "/execute", json.dumps({**good, **change}), {"Authorization": "Bearer " + token})
    r = c.getresponse()
    print(change if len(str(change)) < 60 else "long", r.status, r.read()[:90])
    c.close()
