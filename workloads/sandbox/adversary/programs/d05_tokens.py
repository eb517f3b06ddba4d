# TRIES: wrong tokens: empty, prefix, other case, other scheme, non-ASCII, doubled headers, none, in other places. SUCCESS: anything but
# 401.
#: kind = http
#: short = yes
#: check = outside; hurt

import os, socket

port, token = int(os.environ["ADV_PORT"]), os.environ["ADV_TOKEN"].encode()


def raw(headers):
    s = socket.create_connection(("127.0.0.1", port), 3)
    s.settimeout(2)
    try:
        s.sendall(b"POST /probe HTTP/1.1\r\n" + headers + b"Content-Length: 2\r\n\r\n{}")
        return s.recv(200)
    except OSError as e:
        return str(e).encode()
    finally:
        s.close()


for h in (
    b"",
    b"Authorization: Bearer \r\n",
    b"Authorization: Bearer " + token[:-1] + b"\r\n",
    b"Authorization: Bearer " + token + b"x\r\n",
    b"Authorization: Bearer Bearer " + token + b"\r\n",
    b"Authorization: Basic " + token + b"\r\n",
    b"Authorization: Bearer \xff\xfe\r\n",
    b"Authorization: Bearer wrong\r\nAuthorization: Bearer " + token + b"\r\n",
    b"X-Authorization: Bearer " + token + b"\r\n",
    b"Authorization: Bearer " + token.upper() + b"\r\n",
    b"Cookie: token=" + token + b"\r\n",
    b"Authorization: Bearer \0" + token + b"\r\n",
):
    answer = raw(h)
    print(h[:60], answer[:30])
    if b" 401 " not in answer[:30]:
        print("OUTSIDE accepted", h, answer[:60])
