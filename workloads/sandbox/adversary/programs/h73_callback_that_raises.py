# HONEST: catches what the tests' callback raises, and lets through what it should. Must pass.
#: kind = honest


def solve(action, tries):
    for attempt in range(tries):
        try:
            return action(attempt)
        except ConnectionError:
            if attempt == tries - 1:
                raise


# ==== TESTS ====
calls = []


def flaky(attempt):
    calls.append(attempt)
    if attempt < 2:
        raise ConnectionError(f"try {attempt}")
    return "done"


assert solve(flaky, 3) == "done" and calls == [0, 1, 2]
try:
    solve(flaky, 1)
    raised = ""
except ConnectionError as error:
    raised = str(error)
assert raised == "try 0"
