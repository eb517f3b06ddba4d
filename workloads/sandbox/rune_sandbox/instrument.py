"""Prepares the task's tests: counts what they check, and lets a bare assertion say what was called, returned and expected."""

import ast

_HOOK = "__rune__"
MAX_VALUE = 300


class Tally:
    """What the tests have done so far."""

    def __init__(self):
        self.calls = 0
        self.checks = 0
        self._collected: dict[str, bool] = {}
        self._last: tuple[str, object] | None = None

    def define(self, name: str) -> None:
        self._collected[name] = False

    def entered(self, name: str) -> None:
        self._collected[name] = True

    def uncalled(self) -> list[str]:
        """Test functions that were defined and that nothing has called yet."""
        return [name for name, called in self._collected.items() if not called]

    def saw(self, call: str, result) -> None:
        self._last = (call, result)

    def checked(self) -> None:
        self.checks += 1

    def equal(self, source: str, got, wanted) -> None:
        """`assert got == wanted` that explains itself."""
        self.checks += 1
        if not got == wanted:
            raise AssertionError(self._difference(source, got, wanted))

    def true(self, source: str, value) -> None:
        """`assert value` that explains itself."""
        self.checks += 1
        if not value:
            raise AssertionError(f"{source} does not hold{self._context()}")

    def _difference(self, source: str, got, wanted) -> str:
        if self._last and got is self._last[1]:
            return f"{self._last[0]} returned {shown(got)}, expected {shown(wanted)}"
        return f"{source} is {shown(got)}, expected {shown(wanted)}{self._context()}"

    def _context(self) -> str:
        return f" ({self._last[0]} returned {shown(self._last[1])})" if self._last else ""


def shown(value) -> str:
    """A value as a person reads it in an error, bounded."""
    try:
        text = repr(value)
    except ValueError:  # an int with more digits than Python prints
        text = f"<{type(value).__name__} too large to print>"
    return text if len(text) <= MAX_VALUE else text[:MAX_VALUE] + "…"


def instrument(source: str, file: str, entry_point: str, tally: Tally, scope: dict):
    """Compiled tests that report to `tally`. A definition of the entry point in them (a prompt put in front) is left out."""
    tree = ast.parse(source, file)
    tree.body = [node for node in tree.body if not (_is_function(node) and node.name == entry_point)]
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and _is_test(node):
            tally.define(node.name)
            node.body.insert(0, _statement("entered", ast.Constant(node.name)))
    scope[_HOOK] = tally
    tree = ast.fix_missing_locations(_Explaining(source).visit(tree))
    return compile(tree, file, "exec", dont_inherit=True)


def _is_function(node: ast.AST) -> bool:
    return isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))


def _is_test(node: ast.FunctionDef) -> bool:
    required = len(node.args.args) + len(node.args.posonlyargs) - len(node.args.defaults)
    return (node.name == "check" and required == 1) or (node.name.startswith("test") and required == 0)


def _statement(method: str, *arguments: ast.expr) -> ast.Expr:
    return ast.Expr(ast.Call(ast.Attribute(ast.Name(_HOOK, ast.Load()), method, ast.Load()), list(arguments), []))


class _Explaining(ast.NodeTransformer):
    def __init__(self, source: str):
        self._source = source

    def visit_Assert(self, node: ast.Assert):
        self.generic_visit(node)
        if node.msg is not None:
            return [_placed(_statement("checked"), node), node]
        test = node.test
        if isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], ast.Eq):
            return _placed(_statement("equal", self._text(test.left), test.left, test.comparators[0]), node)
        return _placed(_statement("true", self._text(test), test), node)

    def visit_If(self, node: ast.If):
        """`if wrong: raise …` is a check that was made, whichever way it goes."""
        self.generic_visit(node)
        if any(isinstance(child, ast.Raise) for child in node.body):
            return [_placed(_statement("checked"), node), node]
        return node

    def visit_Expr(self, node: ast.Expr):
        """`self.assertEqual(…)`, `numpy.testing.assert_allclose(…)`."""
        self.generic_visit(node)
        if isinstance(node.value, ast.Call) and _called_name(node.value.func).startswith("assert"):
            return [_placed(_statement("checked"), node), node]
        return node

    def visit_With(self, node: ast.With):
        """`with self.assertRaises(…):`."""
        self.generic_visit(node)
        if any(
            isinstance(item.context_expr, ast.Call) and _called_name(item.context_expr.func).startswith("assert") for item in node.items
        ):
            return [_placed(_statement("checked"), node), node]
        return node

    def _text(self, node: ast.expr) -> ast.Constant:
        return ast.Constant((ast.get_source_segment(self._source, node) or "the condition")[:200])


def _called_name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _placed(new: ast.stmt, old: ast.stmt) -> ast.stmt:
    return ast.copy_location(new, old)
