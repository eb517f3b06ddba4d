"""The laboratory's language: a program is a list that goes through operations, `x |rev |srt`."""

from itertools import accumulate


class Operation:
    """What stands behind a bar. It makes a new list of integers from one."""

    def __init__(self, change):
        self.change = change

    def __ror__(self, values):
        return self.change(values)


rev = Operation(lambda values: values[::-1])
srt = Operation(sorted)
inc = Operation(lambda values: [value + 1 for value in values])
dbl = Operation(lambda values: [value * 2 for value in values])
neg = Operation(lambda values: [-value for value in values])
cut = Operation(lambda values: values[1:])
cum = Operation(lambda values: list(accumulate(values)))
sqr = Operation(lambda values: [value * value for value in values])
