# TRIES: what processes that are forked from one share: the seed of hashes, of random and of temporary names. The program learns the hash
# seed, and gives the judge a set of strings that all fall together. SUCCESS: the answer is late, or the runner is hurt.
#: check = late 2; hurt; judge
#: timeout = 3

MASK = 1 << 14


def solve(x):
    found, n = [], 0
    wanted = hash("a") % MASK
    while len(found) < 60 and n < 1_500_000:
        if hash(f"s{n}") % MASK == wanted:
            found.append(f"s{n}")
        n += 1
    return {text * 1 for text in found} | set(range(0, (1 << 61) * 2000, (1 << 61) - 1))


# ==== TESTS ====
got = solve(1)
assert got == {1}
