"""Programs and tests that plain Python judges, judged here: the verdicts must be the same."""

import sys
import types
import unittest
from typing import Any

from rune_sandbox.harness import LiveRunner


def plainly(program: str, tests: str) -> bool:
    """Whether the tests hold where program and tests share one process."""
    kept: dict[str, Any] = {name: sys.modules.get(name) for name in ("solution", "__main__")}
    solution, main = types.ModuleType("solution"), types.ModuleType("__main__")
    sys.modules.update(solution=solution, __main__=main)
    try:
        exec(program, vars(solution))
        vars(main).update({name: value for name, value in vars(solution).items() if not name.startswith("__")})
        exec(tests, vars(main))
    except (Exception, SystemExit):
        return False
    finally:
        sys.modules.update(kept)
    return True


# name: (program, tests). The sandbox's verdict must be plain Python's.
IN_PLACE = {
    "a list is sorted in place": ("def solve(a): a.sort()", "a = [3, 1, 2]\nsolve(a)\nassert a == [1, 2, 3]"),
    "a wrong sort in place fails": ("def solve(a): a.reverse()", "a = [3, 1, 2]\nsolve(a)\nassert a == [1, 2, 3]"),
    "inner lists keep their identity": (
        "def solve(grid): grid[0][0] = 7; grid.append(grid[0])",
        "row = [0]\ngrid = [row]\nsolve(grid)\nassert row == [7] and grid[0] is row and grid[1] is row",
    ),
    "one list passed twice is one list": (
        "def solve(a, b): a.append(1); return a is b",
        "x = []\nassert solve(x, x)\nassert not solve([], [])",
    ),
    "dicts, sets, bytearrays and deques too": (
        "def solve(d, s, b, q): d['a'] = 1; s.add(2); b[:] = b'xy'; q.appendleft(0); return d",
        "from collections import deque\nd, s, b, q = {}, set(), bytearray(b'a'), deque([1], maxlen=2)\nassert solve(d, s, b, q) is d\nassert (d, s, b, list(q)) == ({'a': 1}, {2}, bytearray(b'xy'), [0, 1])",
    ),
    "a list that holds itself": (
        "def solve(a): a.append(a); return len(a)",
        "a = [1]\nassert solve(a) == 2\nassert a[1] is a",
    ),
    "what the program keeps of the tests' list": (
        "kept = []\ndef solve(a): kept.append(a)\ndef total(): return sum(kept[0])",
        "a = [1]\nsolve(a)\na.append(5)\nassert total() == 6",
    ),
    "a shared default is found out": (
        "def solve(found=[]): return found",
        "first = solve()\nfirst.append(1)\nassert solve() == []",
    ),
    "the same object twice": (
        "from functools import cache\n@cache\ndef solve(x): return [x]",
        "assert solve(1) is solve(1)",
    ),
    "a new object each time is not the same": ("def solve(x): return [x]", "a = solve(1)\nassert a is solve(1)"),
    "an argument that comes back is the argument": (
        "def solve(x): return x",
        "n = float('nan')\na = [n, (n,)]\nassert solve(a) is a\nassert a == [n, (n,)]",
    ),
    "a grid is shared from call to call, whatever its size": (
        "def solve(g): g[0][0] += 1; return sum(map(sum, g))",
        "for n in (3, 40, 700):\n    g = [[0] for _ in range(n)]\n    assert solve(g) == 1\n    g[n - 1][0] += 5\n    assert solve(g) == 7 and g[0] == [2] and g[-1] == [5]",
    ),
    "what is changed during a callback is seen in it": (
        "def solve(a, look): a.append(1); return look()",
        "a = []\nassert solve(a, lambda: list(a)) == [1]",
    ),
}
VALUES = {
    "numbers and dates": (
        "from decimal import Decimal\nfrom fractions import Fraction\nimport datetime as d\ndef solve(): return [Decimal('0.1'), Fraction(1, 3), d.date(2024, 2, 29), d.time(1, 2, tzinfo=d.timezone.utc), d.datetime(2024, 1, 2, 3, 4, 5, 6, d.timezone(d.timedelta(hours=2))), d.timedelta(days=-1, microseconds=3)]",
        "from decimal import Decimal\nfrom fractions import Fraction\nimport datetime as d\nassert solve() == [Decimal('0.1'), Fraction(1, 3), d.date(2024, 2, 29), d.time(1, 2, tzinfo=d.timezone.utc), d.datetime(2024, 1, 2, 3, 4, 5, 6, d.timezone(d.timedelta(hours=2))), d.timedelta(days=-1, microseconds=3)]\nassert [type(x).__name__ for x in solve()] == ['Decimal', 'Fraction', 'date', 'time', 'datetime', 'timedelta']",
    ),
    "collections": (
        "from collections import *\ndef solve(k):\n    d = defaultdict(list); d[1].append(2)\n    return [range(2, 9, 3), deque([1], 3), OrderedDict(b=1, a=2), d, Counter('aab'), {'a': 1}.keys(), {'a': 1}.items()][k]",
        "from collections import *\nassert solve(0) == range(2, 9, 3)\nassert solve(1) == deque([1]) and solve(1).maxlen == 3\nassert list(solve(2)) == ['b', 'a'] and isinstance(solve(2), OrderedDict)\nassert solve(3)[5] == [] and solve(3)[1] == [2]\nassert solve(4).most_common(1) == [('a', 2)]\nassert solve(5) == {'a'}\nassert list(solve(6)) == [('a', 1)]",
    ),
    "records": (
        "from collections import namedtuple\nfrom typing import NamedTuple\nP = namedtuple('P', 'x y')\nclass Q(NamedTuple):\n    a: int\n    b: list\ndef solve(k): return [P(1, 2), Q(3, [4])][k]",
        "p, q = solve(0), solve(1)\nassert p == (1, 2) and p.x == 1 and p._asdict() == {'x': 1, 'y': 2} and repr(p) == 'P(x=1, y=2)'\nassert p._replace(x=5) == (5, 2)\nassert q.b == [4] and isinstance(q, tuple)",
    ),
    "paths, UUIDs, ellipsis, types": (
        "import pathlib, uuid\ndef solve(): return [pathlib.PurePosixPath('/a/b'), uuid.UUID(int=5), ..., int, ValueError, NotImplemented]",
        "import pathlib, uuid\nassert solve() == [pathlib.PurePosixPath('/a/b'), uuid.UUID(int=5), ..., int, ValueError, NotImplemented]",
    ),
    "an answer nested fifteen hundred deep": (
        "def solve(n):\n    r = None\n    for k in range(n): r = (k, r)\n    return r",
        "r, n = solve(1500), 0\nwhile r:\n    r, n = r[1], n + 1\nassert n == 1500",
    ),
    "a question nested as deep": (
        "def solve(r):\n    n = 0\n    while r: r, n = r[0], n + 1\n    return n",
        "r = []\nfor k in range(3000): r = [r]\nassert solve(r) == 3000",
    ),
    "floats keep every bit, and their kind": (
        "def solve(x): return x",
        "import math\nfor x in (0.1, -0.0, 1e308, 5e-324, math.inf, 1.0): assert solve(x) == x and type(solve(x)) is float and math.copysign(1, solve(x)) == math.copysign(1, x)",
    ),
    "enums of numbers are numbers": (
        "import enum\nclass C(enum.IntEnum):\n    RED = 1\ndef solve(): return C.RED",
        "assert solve() == 1",
    ),
}
LAZY = {
    "a generator": ("def solve(n):\n    for k in range(n): yield k", "assert list(solve(3)) == [0, 1, 2]"),
    "an endless generator": (
        "import itertools\ndef solve(): return (k * k for k in itertools.count())",
        "from itertools import islice\nassert list(islice(solve(), 4)) == [0, 1, 4, 9]",
    ),
    "send, throw and close": (
        "log = []\ndef solve():\n    try:\n        got = yield 1\n        try: yield got\n        except ValueError: yield 'caught'\n    finally: log.append('closed')\ndef logged(): return log",
        "g = solve()\nassert next(g) == 1 and g.send(5) == 5 and g.throw(ValueError('x')) == 'caught'\ng.close()\nassert logged() == ['closed']\nassert next(g, None) is None",
    ),
    "a generator's return value": (
        "def solve():\n    yield 1\n    return 7",
        "def outer():\n    got = yield from solve()\n    yield got\nassert list(outer()) == [1, 7]",
    ),
    "iterators": (
        "def solve(x): return [map(str, x), zip(x, x), reversed(x), enumerate(x)]",
        "assert [list(i) for i in solve([1, 2])] == [['1', '2'], [(1, 1), (2, 2)], [2, 1], [(0, 1), (1, 2)]]",
    ),
    "iterators of the tests": (
        "def solve(x): return next(x), list(x)",
        "assert solve(k for k in range(3)) == (0, [1, 2])\nassert solve(iter([5])) == (5, [])",
    ),
    "a coroutine function": (
        "import asyncio\nasync def solve(x):\n    await asyncio.sleep(0)\n    return x + 1",
        "import asyncio\nassert asyncio.run(solve(1)) == 2",
    ),
    "coroutines go on beside each other": (
        "import asyncio\nasync def solve(x):\n    await asyncio.sleep(0.2)\n    return x",
        "import asyncio, time\nasync def main():\n    return await asyncio.gather(*[solve(k) for k in range(10)])\nstart = time.monotonic()\nassert asyncio.run(main()) == list(range(10))\nassert time.monotonic() - start < 1",
    ),
    "a coroutine can be given up": (
        "import asyncio\nasync def solve(): await asyncio.sleep(9)",
        "import asyncio\nasync def main():\n    try: await asyncio.wait_for(solve(), 0.05)\n    except asyncio.TimeoutError: return 'late'\nassert asyncio.run(main()) == 'late'",
    ),
    "an asynchronous generator": (
        "import asyncio\nasync def solve(n):\n    for k in range(n):\n        await asyncio.sleep(0)\n        yield k",
        "import asyncio\nasync def main(): return [k async for k in solve(3)]\nassert asyncio.run(main()) == [0, 1, 2]",
    ),
    "exceptions of coroutines": (
        "async def solve(): raise KeyError('x')",
        "import asyncio\ntry: asyncio.run(solve())\nexcept KeyError as e: assert e.args == ('x',)\nelse: assert False",
    ),
    "a failing generator fails": ("def solve():\n    yield 1\n    raise ValueError", "assert list(solve()) == [1]"),
}
CALLBACKS = {
    "a predicate": (
        "def solve(items, keep): return [i for i in items if keep(i)]",
        "assert solve([1, 2, 3], lambda v: v > 1) == [2, 3]",
    ),
    "built-in functions and classes": (
        "def solve(x, *f): return [each(x) for each in f]",
        "assert solve('12', len, int, list, str.upper) == [2, 12, ['1', '2'], '12']",
    ),
    "keywords": ("def solve(f): return f(1, b=2)", "def f(a, b, c=3): return [a, b, c]\nassert solve(f) == [1, 2, 3]"),
    "a function's error passes through the program": (
        "def solve(f):\n    try: return f()\n    except ValueError as e: return str(e)",
        "def bad(): raise ValueError('no')\nassert solve(bad) == 'no'",
    ),
    "the very same error comes back": (
        "def solve(f): return f()",
        "error = LookupError('x')\ndef bad(): raise error\ntry: solve(bad)\nexcept LookupError as e: assert e is error\nelse: assert False",
    ),
    "calls within calls": (
        "def solve(n, f): return n if n == 0 else f(n) + 1",
        "def f(n): return solve(n - 1, f)\nassert solve(5, f) == 5",
    ),
    "calls without end": ("def solve(f): return f()", "def f(): return solve(f)\nassert solve(f) == 1"),
    "a decorator": (
        "def solve(f):\n    def inner(*a, **k): return f(*a, **k) * 2\n    return inner",
        "@solve\ndef three(x): return x + 3\nassert three(1) == 8\nassert callable(three)",
    ),
    "a mock": (
        "def solve(db): db.save(5, key='a'); return db.load()",
        "from unittest.mock import MagicMock\ndb = MagicMock()\ndb.load.return_value = 7\nassert solve(db) == 7\ndb.save.assert_called_once_with(5, key='a')",
    ),
    "objects of the tests' own classes": (
        "def solve(node):\n    total = 0\n    while node: total, node = total + node.value, node.next\n    return total",
        "class Node:\n    def __init__(self, value, next=None): self.value, self.next = value, next\nassert solve(Node(1, Node(2))) == 3",
    ),
    "a list of the tests' own class is turned round": (
        "def solve(node):\n    before = None\n    while node: node.next, before, node = before, node, node.next\n    return before",
        "class Node:\n    def __init__(self, value, next=None): self.value, self.next = value, next\nlast = Node(2)\nfirst = Node(1, last)\nassert solve(first) is last\nassert last.next is first and first.next is None",
    ),
    "what a function of the tests can't give is the program's error to catch": (
        "def solve(f):\n    try: return f()\n    except TypeError: return 'no'",
        "import sys\nassert solve(lambda: sys) in ('no', sys)",
    ),
    "a buffer": (
        "def solve(out): out.write('hi')",
        "import io\nout = io.StringIO()\nsolve(out)\nassert out.getvalue() == 'hi'",
    ),
}
STACK = "class Stack:\n    'a stack'\n    made = 0\n    def __init__(self, *items): self.items = list(items); Stack.made += 1\n    def push(self, x): self.items.append(x); return self\n    def pop(self):\n        if not self.items: raise IndexError('empty')\n        return self.items.pop()\n    def __len__(self): return len(self.items)\n    def __iter__(self): return iter(self.items)\n    def __getitem__(self, k): return self.items[k]\n    def __contains__(self, x): return x in self.items\n    def __eq__(self, other): return isinstance(other, Stack) and self.items == other.items\n    def __hash__(self): return hash(tuple(self.items))\n    def __add__(self, other): return Stack(*self.items, *other)\n    def __lt__(self, other): return len(self) < len(other)\n    def __repr__(self): return f'Stack{tuple(self.items)}'\n    def __enter__(self): return self\n    def __exit__(self, *a): self.items.clear(); return a[0] is KeyError\n    def __call__(self, x): return x * 2\n    @classmethod\n    def of(cls, n): return cls(*range(n))\n    @staticmethod\n    def two(): return 2\n    @property\n    def top(self): return self.items[-1]\ndef solve(*a): return Stack(*a)\n"
CLASSES = {
    "methods and attributes": (
        STACK,
        "s = Stack()\ns.push(1).push(2)\nassert s.pop() == 2 and s.items == [1] and s.top == 1\nassert Stack.of(3).items == [0, 1, 2] and Stack.two() == 2 and Stack.made == 2",
    ),
    "operators": (
        STACK,
        "s = Stack(1, 2)\nassert len(s) == 2 and list(s) == [1, 2] and s[0] == 1 and 2 in s and 5 not in s\nassert s == Stack(1, 2) and s != Stack() and Stack() < s\nassert (s + [3]).items == [1, 2, 3] and s(4) == 8 and bool(s) and not Stack()\nassert repr(s) == str(s) == f'{s}' == 'Stack(1, 2)'\nassert {s: 1}[Stack(1, 2)] == 1",
    ),
    "a wrong operator is found": (STACK, "assert Stack(1) + [2] == Stack(1)"),
    "classes": (
        STACK,
        "s = Stack()\nassert isinstance(s, Stack) and type(s) is Stack and not isinstance(1, Stack)\nassert Stack.__name__ == 'Stack'\nassert s.push(1) is s",
    ),
    "context managers": (
        STACK,
        "with Stack(1) as s: assert len(s) == 1\nassert len(s) == 0\nwith Stack(1): raise KeyError\nwith Stack(1): raise ValueError",
    ),
    "errors of methods": (
        STACK,
        "try: Stack().pop()\nexcept IndexError as e: assert str(e) == 'empty'\nelse: assert False\nassert not hasattr(Stack(), 'nothing')\nassert getattr(Stack(), 'nothing', 3) == 3",
    ),
    "attributes that are set": (
        STACK,
        "s = Stack()\ns.name = 'x'\nassert s.name == 'x' and vars(s)['name'] == 'x'\ndel s.name\nassert not hasattr(s, 'name')",
    ),
    "attributes that are changed in place": (STACK, "s = Stack(1)\ns.items.append(5)\nassert s.pop() == 5"),
    "dataclasses": (
        "from dataclasses import dataclass\n@dataclass(frozen=True, order=True)\nclass Point:\n    x: int\n    y: int = 0\ndef solve(): return Point(1)",
        "assert solve() == Point(1, 0) and solve() != Point(2) and Point(1) < Point(2) and repr(Point(1)) == 'Point(x=1, y=0)'\nimport dataclasses\ntry: solve().x = 2\nexcept dataclasses.FrozenInstanceError: pass\nelse: assert False",
    ),
    "results that are objects are compared by the program": (
        "from dataclasses import dataclass\n@dataclass\nclass P:\n    x: int\ndef solve(x): return P(x)",
        "assert solve(1) == solve(1) and solve(1) != solve(2) and solve(3).x == 3",
    ),
    "enums": (
        "import enum\nclass Color(enum.Enum):\n    RED = 1\n    BLUE = 'b'\ndef solve(): return Color.RED",
        "assert solve() is Color.RED and solve() == Color.RED != Color.BLUE and Color('b') is Color.BLUE and Color['RED'].value == 1\nassert [c.name for c in Color] == ['RED', 'BLUE'] and len(Color) == 2 and Color.RED in Color\nassert isinstance(solve(), Color)",
    ),
    "class hierarchies": (
        "import abc\nclass Shape(abc.ABC):\n    @abc.abstractmethod\n    def area(self): ...\nclass Square(Shape):\n    def __init__(self, a): self.a = a\n    def area(self): return self.a ** 2\ndef solve(): return Square(2)",
        "assert isinstance(solve(), Shape) and issubclass(Square, Shape) and solve().area() == 4\ntry: Shape()\nexcept TypeError: pass\nelse: assert False",
    ),
    "a list of a program's class": (
        "class Vec(list):\n    def norm(self): return sum(self)\ndef solve(): return Vec([1, 2])",
        "v = Vec([1, 2])\nassert v.norm() == 3 and len(v) == 2 and v[0] == 1 and list(v) == [1, 2]\nassert solve() == [1, 2]",
    ),
    "copies": (
        STACK,
        "import copy\ns = Stack(1)\nt = copy.deepcopy(s)\nt.push(2)\nassert len(s) == 1 and t == Stack(1, 2)",
    ),
    "lists of objects": (
        STACK,
        "assert solve(1, 2) in [Stack(), Stack(1, 2)]\nassert sorted([Stack(1, 1), Stack()])[0] == Stack()",
    ),
}
NAMES = {
    "a helper beside the entry point": (
        "LIMIT = 5\ndef helper(x): return x + 1\ndef solve(x): return helper(x)",
        "assert helper(1) == 2\nassert solve(LIMIT) == 6",
    ),
    "from solution import": (
        "def other(): return 1\ndef solve(x): return x",
        "from solution import solve, other as o\nimport solution\nassert solve(1) == o() == solution.solve(1)",
    ),
    "the tests' own names win": (
        "def helper(): return 1\ndef solve(): return 2",
        "def helper(): return 3\nassert helper() == 3 and solve() == 2",
    ),
    "what functools gives": (
        "from functools import lru_cache\n@lru_cache\ndef solve(x):\n    'doc'\n    return x",
        "solve(1)\nsolve(1)\nassert solve.cache_info().hits == 1 and solve.__name__ == 'solve' and solve.__doc__ == 'doc'",
    ),
    "captured output": (
        "def solve(name): print('hello', name)",
        "import io, contextlib\nout = io.StringIO()\nwith contextlib.redirect_stdout(out): solve('x')\nassert out.getvalue() == 'hello x\\n'",
    ),
    "captured output that is wrong": (
        "def solve(name): print('bye', name)",
        "import io, contextlib\nout = io.StringIO()\nwith contextlib.redirect_stdout(out): solve('x')\nassert out.getvalue() == 'hello x\\n'",
    ),
    "typed input": (
        "import sys\ndef solve(): return [input(), sys.stdin.readline()]",
        "import io, sys\nsys.stdin = io.StringIO('a\\nb\\nc\\n')\nassert solve() == ['a', 'b\\n']\nassert sys.stdin.read() == 'c\\n'",
    ),
    "replaced input and print": (
        "def solve(): print('got', input('? '))",
        "from unittest.mock import patch\nwith patch('builtins.input', return_value='x') as i, patch('builtins.print') as p: solve()\ni.assert_called_with('? ')\np.assert_called_with('got', 'x')\nassert p.call_count == 1",
    ),
    "a seeded generator of numbers": (
        "import random\ndef solve(): return random.random()",
        "import random\nrandom.seed(42)\nwanted = [random.random(), random.random()]\nrandom.seed(42)\nassert [solve(), solve()] == wanted",
    ),
    "a group of exceptions from the tests' own tasks": (
        "async def solve(x): return x",
        "import asyncio\nasync def one(x): assert await solve(x) == x\nasync def main():\n    async with asyncio.TaskGroup() as g:\n        for k in range(3): g.create_task(one(k))\nasyncio.run(main())",
    ),
    "except* takes what the program raised": (
        "def solve(): raise ExceptionGroup('many', [ValueError(1), ExceptionGroup('inner', [TypeError(2)])])",
        "got = []\ntry: solve()\nexcept* ValueError as g: got.append(len(g.exceptions))\nexcept* TypeError as g: got.append('t')\nassert got == [1, 't']",
    ),
    "a million numbers both ways": (
        "def solve(x): return [sum(x), x]",
        "data = [k / 2 for k in range(150_000)]\ntotal, back = solve(data)\nassert total == sum(data) and back is data",
    ),
}


class Fairness(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.runner = cls.enterClassContext(LiveRunner())

    def alike(self, cases: dict[str, tuple[str, str]]) -> None:
        for name, (program, tests) in cases.items():
            with self.subTest(name):
                answer = self.runner.execute(
                    program, tests, entryPoint="Stack" if "Stack(" in tests and "solve" not in tests else "solve"
                )
                self.assertEqual(answer["passed"], plainly(program, tests), answer)
                if not answer["passed"]:
                    self.assertIn(answer["outcome"], ("Failed", "Error"), answer)

    def test_changes_in_place_and_identity_are_as_in_one_process(self):
        self.alike(IN_PLACE)

    def test_common_values_cross_with_their_kind(self):
        self.alike(VALUES)

    def test_iterators_and_coroutines_stay_lazy(self):
        self.alike(LAZY)

    def test_functions_and_objects_of_the_tests_can_be_passed(self):
        self.alike(CALLBACKS)

    def test_classes_of_the_program_can_be_used(self):
        self.alike(CLASSES)

    def test_names_streams_and_random_numbers_are_shared(self):
        self.alike(NAMES)


if __name__ == "__main__":
    unittest.main()
