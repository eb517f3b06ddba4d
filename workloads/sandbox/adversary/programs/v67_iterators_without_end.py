# TRIES: results that never end: an infinite iterator, a length that grows, an object that is its own item. SUCCESS: the runner answers late,
# or the wrong program passes.
#: check = passed; late 2; hurt
#: timeout = 2
#: short = yes

import itertools


class Endless:
    def __len__(self):
        return 1 << 40

    def __getitem__(self, at):
        return self

    def __iter__(self):
        return itertools.repeat(self)

    def __eq__(self, other):
        return NotImplemented


def solve(x):
    return Endless()


# ==== TESTS ====
assert list(solve(1)) == [2]
