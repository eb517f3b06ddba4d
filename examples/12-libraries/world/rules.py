"""House rules: functions as one line of source each, with constants drawn at random.
Their results are arbitrary, so they can't be guessed.
"""

import random
from collections.abc import Callable

SEPARATORS = "~.-_:+/|"
BRACKETS = ("[]", "()", "<>", "{}")
CALLS = ("Ahoy", "Salute", "Hark", "Ho there", "Well met", "Onward")
PRIMES = (
    53,
    59,
    61,
    67,
    71,
    73,
    79,
    83,
    89,
    97,
    101,
    103,
    107,
    109,
    113,
    211,
    223,
    227,
    229,
    307,
    311,
    313,
    401,
    409,
    503,
    997,
)

Rule = Callable[[random.Random], str]
"""A draw → an expression of `text` or of `n`."""


def rotated_words(r: random.Random) -> str:
    k, order = r.randint(1, 2), r.choice(("reversed(text.lower().split())", "text.lower().split()"))
    return f"{r.choice(SEPARATORS)!r}.join(w[{k}:] + w[:{k}] for w in {order})"


def cut_words(r: random.Random) -> str:
    return f"{r.choice(SEPARATORS)!r}.join(w[{r.randint(2, 3)}:0:-1] for w in {r.choice(('reversed(text.split())', 'text.split()'))})"


def checksum_and_initials(r: random.Random) -> str:
    return f'format(zlib.crc32(text.encode()) % {r.choice(PRIMES)}, "03d") + "".join(w[0] for w in text.split()).{r.choice(("upper", "lower"))}()'


def stamp(r: random.Random) -> str:
    return f'format((zlib.crc32(text.encode()) ^ {r.randint(1, 9999)}) & 0xffff, "04x")'


def masked(r: random.Random) -> str:
    k = r.randint(2, 4)
    return f"{r.choice('*#%=')!r} * max(0, len(text) - {k}) + text[-{k}:][::-1]"


def tagged(r: random.Random) -> str:
    left, right = r.choice(BRACKETS)
    return f'f"{left.replace("{", "{{")}{{text[:{r.randint(2, 4)}].lower()}}{r.choice(SEPARATORS)}{{len(text)}}{right.replace("}", "}}")}"[::-1]'


def keyed(r: random.Random) -> str:
    return f"str(sum(map(ord, text)) % {r.choice(PRIMES)}).zfill(3) + text[:{r.randint(2, 3)}].{r.choice(('lower', 'upper'))}()"


def grouped(r: random.Random) -> str:
    k, n = r.randint(1, 3), r.randint(2, 4)
    return f"{r.choice(SEPARATORS)!r}.join((text[{k}:] + text[:{k}])[i:i + {n}] for i in range(0, len(text), {n}))"


def interleaved(r: random.Random) -> str:
    n = r.randint(2, 3)
    return f"({' + '.join(f'text[{k}::{n}]' for k in r.sample(range(n), n))}).{r.choice(('lower', 'swapcase'))}() + {r.choice(SEPARATORS)!r}"


def called(r: random.Random) -> str:
    return f'f"({{len(text)}}) {r.choice(CALLS)}, {{text[::-1]}}{r.choice("!?.")}"'


def shifted(r: random.Random) -> str:
    return f'"".join(chr(97 + (ord(c) * {r.choice((3, 5, 7, 9, 11, 15, 17))} + {r.randint(1, 25)}) % 26) for c in text.lower() if c.isalpha())'


def product(r: random.Random) -> str:
    return f"n * {r.randint(7, 97)} % {r.choice(PRIMES)}"


def line(r: random.Random) -> str:
    return f"{r.randint(1, 40)} + (n * {r.randint(7, 97)} + {r.randint(2, 40)}) % {r.choice(PRIMES)}"


def square(r: random.Random) -> str:
    return f"(n * n + {r.randint(2, 40)}) % {r.choice(PRIMES)}"


def two_rests(r: random.Random) -> str:
    return f"n * {r.randint(7, 97)} % {r.choice(PRIMES)} + n % {r.randint(3, 9)}"


def crossed(r: random.Random) -> str:
    return f"(n ^ {r.randint(17, 250)}) * {r.randint(3, 19)} % {r.choice(PRIMES)}"


TEXT_RULES: tuple[Rule, ...] = (
    rotated_words, cut_words, checksum_and_initials, stamp, masked, tagged, keyed, grouped, interleaved, called, shifted,
)  # fmt: skip
NUMBER_RULES: tuple[Rule, ...] = (product, line, square, two_rests, crossed)
