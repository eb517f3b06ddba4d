# TRIES: to make the judge keep what the program gives it: objects without end, each new, each with proxies, in lists that change with each call.
# SUCCESS: the judge dies, the answer is late, or the runner is hurt.
#: check = judge; late 3; hurt; passed
#: timeout = 5

kept = []


class Thing:
    pass


def solve(x):
    kept.append([Thing() for n in range(20_000)])
    return kept


# ==== TESTS ====
for k in range(50):
    result = solve(k)
assert result == 2
