# HONEST: calls methods of an object whose class the tests define. Must pass.
#: kind = honest


def solve(source):
    total = 0
    while (item := source.read()) is not None:
        total += item
    source.closed = True
    return total


# ==== TESTS ====
class Source:
    def __init__(self, items):
        self.items, self.closed = list(items), False

    def read(self):
        return self.items.pop() if self.items else None


source = Source([1, 2, 3])
assert solve(source) == 6
assert source.closed and source.items == []
