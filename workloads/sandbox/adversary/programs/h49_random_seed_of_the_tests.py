# HONEST: the tests seed the random module, and the program draws from it. Must pass.
#: kind = honest

import random


def solve():
    return random.random()


# ==== TESTS ====
import random

random.seed(42)
wanted = random.random()
random.seed(42)
assert solve() == wanted
