"""tessera: an in-house helper library that no public model has seen.

Stands for what every company has: helpers with house names and house rules that can't be
guessed and can't be bypassed (the results are arbitrary). Its errors are helpful, as good
internal libraries' are: asking for a name that doesn't exist says which one to use.
"""
import dis
import re
import sys
import zlib

HOUSE = {}  # name -> "concept (type)"; the concept's words are what an unknown name is matched against


def house(concept):
    def keep(function):
        HOUSE[function.__name__] = concept
        return function
    return keep


@house("house slug of a title (str -> str)")
def moniker(text): return "~".join(w[1:] + w[0] for w in reversed(text.lower().split()))
@house("ledger code of a customer name (str -> str)")
def brand(text): return format(zlib.crc32(text.encode()) % 997, "03d") + "".join(w[0] for w in text.split()).upper()
@house("masked form of an account number (str -> str)")
def veil(text): return "*" * max(0, len(text) - 3) + text[-3:][::-1]
@house("shelf label of a product (str -> str)")
def plaque(text): return f"[{text[:3].lower()}:{len(text)}]"[::-1]
@house("routing key of a city (str -> str)")
def beacon(text): return str(sum(map(ord, text)) % 89).zfill(2) + text[:2].lower()
@house("short form of a street address (str -> str)")
def clip(text): return ".".join(w[2:0:-1] for w in reversed(text.split()))
@house("audit stamp of a message (str -> str)")
def seal(text): return format(zlib.crc32(text.encode()) & 0xffff, "04x")
@house("display form of a phone number (str -> str)")
def chime(text): return "-".join((text[2:] + text[:2])[i:i + 2] for i in range(0, len(text), 2))
@house("sort key of a surname (str -> str)")
def grain(text): return (text[1::2] + text[::2]).lower()
@house("greeting line for a guest (str -> str)")
def hail(text): return f"({len(text)}) Ahoy, {text[::-1]}!"
@house("net price of a gross price (int -> int)")
def pare(n): return n * 37 % 211
@house("loyalty points of an amount (int -> int)")
def accrue(n): return n * 11 % 83 + n % 5
@house("shipping band of a weight (int -> int)")
def haul(n): return 1 + (n * 17 + 2) % 23
@house("risk score of an age in days (int -> int)")
def dread(n): return (n * n + 7) % 53
@house("billing cycle of a day number (int -> int)")
def lunate(n): return (n * 7 + 5) % 29
@house("handling fee of a parcel count (int -> int)")
def toll(n): return 4 + n * 29 % 97


__all__ = list(HOUSE)


def _words(concept):
    return {w.rstrip("s") for w in re.findall(r"[a-z]+", concept.split(" (")[0]) if len(w) > 2} - {"the", "for"}


def _hint(name):
    score = {f: sum(w in name.lower() for w in _words(c)) for f, c in HOUSE.items()}
    best = max(score.values())
    fits = [f for f, s in score.items() if s == best] if best else list(HOUSE)
    return f"tessera has no '{name}'; " + "; ".join(f"use tessera.{f}(x) for the {HOUSE[f]}" for f in fits)


def _imports_from(frame):
    """Whether the frame stands at `from tessera import …`."""
    return frame.f_code.co_code[frame.f_lasti] == dis.opmap["IMPORT_FROM"]


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    # `from tessera import x` swallows an AttributeError, and the hint with it.
    if _imports_from(sys._getframe(1)):
        raise ImportError(_hint(name), name="tessera")
    raise AttributeError(_hint(name))
