# HONEST: gives back the list that it got, after changing it; the tests rely on its being the same. Must pass.
#: kind = honest


def solve(values):
    values.append(len(values))
    return values


# ==== TESTS ====
values = [5]
result = solve(values)
assert result is values and values == [5, 1]
solve(result)
assert values == [5, 1, 2]
