# TRIES: calls that go to and fro for ever: the program calls the tests' function, which calls the program, ever deeper. SUCCESS: the judge dies,
# the answer is late, the tests are blamed for it, or the runner is hurt.
#: check = judge; late 3; hurt; passed; answer outcome TestsUnusable
#: timeout = 4


def solve(x, back):
    return back(x + 1) + 1


# ==== TESTS ====
def back(x):
    return solve(x, back)


assert solve(1, back) == 2
