# HONEST: a generator without end, of which the tests take some, send to it and close it. Must pass.
#: kind = honest


def solve(start):
    while True:
        told = yield start
        start = told if told is not None else start + 1


# ==== TESTS ====
from itertools import islice

numbers = solve(5)
assert list(islice(numbers, 3)) == [5, 6, 7]
assert numbers.send(20) == 20
assert next(numbers) == 21
numbers.close()
assert list(numbers) == []
