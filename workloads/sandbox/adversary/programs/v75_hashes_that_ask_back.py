# TRIES: keys and members of the program's own classes, whose __hash__ and __eq__ are asked while the judge is in the middle of taking in a
# message, and which then change the very dict or set, raise, or never answer alike. SUCCESS: the wrong program passes or the judge dies.
#: check = passed; judge; late 2
#: repeat = 4
#: timeout = 3


class Key:
    def __init__(self, how):
        self.how, self.asked = how, 0

    def __hash__(self):
        self.asked += 1
        if self.how == 1:
            shared[Key(0)] = [1, 2]
        if self.how == 2 and self.asked > 1:
            raise SystemExit(0)
        return self.asked if self.how == 3 else 1

    def __eq__(self, other):
        if self.how == 1:
            shared.clear()
        return self.how != 3


shared = {}


def solve(x):
    shared[Key(__ROUND__ - 1)] = {Key(__ROUND__ - 1)}
    shared[Key(__ROUND__ - 1)] = [shared]
    return shared


# ==== TESTS ====
result = solve(1)
assert result == {1: {2}}
assert solve(2) == {1: {2}}
