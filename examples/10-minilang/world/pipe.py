"""The laboratory's language: a list goes through house verbs, each followed by the operation that it stands for, `x |blim |rev |corv |srt`.

A verb by itself changes nothing. What it stands for is each project's own affair, and whoever writes a program has to know it.
"""

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

blim = corv = dask = fenn = grot = hask = jorl = kemp = lorn = mipt = nubb = plod = Operation(list)
