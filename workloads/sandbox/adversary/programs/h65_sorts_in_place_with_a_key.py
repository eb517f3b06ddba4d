# HONEST: sorts the list that it gets, in place, with the tests' key function. Must pass.
#: kind = honest


def solve(items, key=None, reverse=False):
    items.sort(key=key, reverse=reverse)


# ==== TESTS ====
items = ["bb", "a", "ccc"]
solve(items, key=len)
assert items == ["a", "bb", "ccc"]
solve(items, key=lambda text: -len(text))
assert items == ["ccc", "bb", "a"]
