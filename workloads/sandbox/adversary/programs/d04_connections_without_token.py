# TRIES: 100 idle connections from a caller that knows no token (in a cluster: whoever the NetworkPolicy lets in, and the node). SUCCESS:
# the health check, which Kubernetes asks every second, isn't answered meanwhile.
#: kind = http
#: short = yes
#: check = outside; hurt
#: after = 1

import os, socket, time, http.client

port = int(os.environ["ADV_PORT"])
held = [socket.create_connection(("127.0.0.1", port), 3) for n in range(100)]
for s in held:
    try:
        s.send(b"GET /healthz HTTP/1.1\r\nX: ")
    except OSError:
        pass
time.sleep(0.5)
failed = 0
for n in range(5):
    try:
        c = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        c.request("GET", "/healthz")
        print(c.getresponse().status)
    except Exception as e:
        failed += 1
        print(type(e).__name__, e)
if failed:
    print(f"OUTSIDE {failed} of 5 health checks failed while 100 connections without a token were open")
for s in held:
    s.close()
time.sleep(1)
