# HONEST: answers that are exact numbers or dates: Decimal, Fraction, date. Must pass (documented limit).
#: kind = honest

from decimal import Decimal
from fractions import Fraction
from datetime import date


def solve(x):
    return [Decimal("0.1"), Fraction(1, 3), date(2024, 2, 29)][x]


# ==== TESTS ====
from decimal import Decimal
from fractions import Fraction
from datetime import date

assert solve(0) == Decimal("0.1")
assert solve(1) == Fraction(1, 3)
assert solve(2) == date(2024, 2, 29)
