# HONEST: a script with `if __name__ == '__main__'` that reads input(). Must pass.
#: kind = honest


def solve(x):
    return x + 1


if __name__ == "__main__":
    print(solve(int(input())))
