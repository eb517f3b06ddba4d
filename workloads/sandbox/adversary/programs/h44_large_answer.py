# HONEST: the sieve up to 8 million: 540,000 primes come back (4.6 MB as text). Must pass.
#: kind = honest
#: timeout = 10


def solve(n):
    s = bytearray([1]) * (n + 1)
    s[0:2] = b"\0\0"
    for i in range(2, int(n**0.5) + 1):
        if s[i]:
            s[i * i :: i] = bytes(len(range(i * i, n + 1, i)))
    return [i for i in range(n + 1) if s[i]]


# ==== TESTS ====
r = solve(8000000)
assert len(r) == 539777
