"""Prepares the task's tests: counts their checks, makes a bare assertion report what was called, returned and expected,
and finds what they need.
"""

import ast
import builtins
from dataclasses import dataclass
from itertools import islice
from types import CodeType
from typing import Any, TypeGuard

from rune_sandbox.class_names import taken_for_classes
from rune_sandbox.unsupported import unsupported

_HOOK = "__rune__"
MAX_VALUE = 300
_MANY = 100  # of a longer list or dict only the beginning is shown
_LEAVING = {"exit", "quit", "_exit", "fail", "xfail", "abort"}
_EXPECTING = ("assert", "raises", "warns")
_CATCH_ALL = {"Exception", "BaseException"}


class Tally:
    """What the tests have done so far."""

    def __init__(self):
        self.calls = 0
        self.checks = 0
        self.unseen: BaseException | None = None  # raised by the program, and nothing has been checked since
        self._collected: dict[str, bool] = {}
        self._last: tuple[str, object] | None = None

    def define(self, name: str) -> None:
        self._collected[name] = False

    def entered(self, name: str) -> None:
        self._collected[name] = True

    def uncalled(self) -> list[str]:
        """Test functions that were defined and not yet called."""
        return [name for name, called in self._collected.items() if not called]

    def saw(self, call: str, result: Any) -> None:
        self._last = (call, result)

    def checked(self) -> None:
        self.checks += 1
        self.unseen = None

    def equal(self, source: str, got: Any, wanted: Any) -> None:
        """`assert got == wanted` that explains itself."""
        if not got == wanted:
            raise AssertionError(self._difference(source, got, wanted))
        self.checked()

    def true(self, source: str, value: Any) -> None:
        """`assert value` that explains itself."""
        if not value:
            raise AssertionError(f"{source} does not hold{self._context()}")
        self.checked()

    def _difference(self, source: str, got: Any, wanted: Any) -> str:
        if self._last and got is self._last[1]:
            return f"{self._last[0]} returned {shown(got)}, expected {shown(wanted)}"
        return f"{source} is {shown(got)}, expected {shown(wanted)}{self._context()}"

    def _context(self) -> str:
        return f" ({self._last[0]} returned {shown(self._last[1])})" if self._last else ""


def shown(value: Any) -> str:
    """A value as shown in an error message, bounded. Never raises."""
    try:
        text = repr(_beginning(value))
    except Exception:  # an int with more digits than Python prints, an object whose repr fails
        text = f"<{type(value).__name__} that can't be printed>"
    return text if len(text) <= MAX_VALUE else text[:MAX_VALUE] + "…"


def _beginning(value: Any):
    if type(value) in (list, tuple, str, bytes) and len(value) > _MANY:
        return value[: MAX_VALUE if type(value) in (str, bytes) else _MANY]
    return dict(islice(value.items(), _MANY)) if type(value) is dict and len(value) > _MANY else value


@dataclass
class Prepared:
    """Compiled tests, and what was found in them before anything ran."""

    code: CodeType
    names: dict[str, bool]  # what only the program can define; whether it is used as a function or a class
    uses_entry_point: bool
    checks: int  # statements that check something
    seeds: bool  # the tests seed the random module
    modules: list[tuple[int, str, str | None]]  # (line, module, name imported from it)
    stops: list[range]  # lines where the tests expect a StopIteration
    unsupported: tuple[int, str] | None  # (line, what is unavailable there)
    classes: set[str]  # names that the tests use as classes


def prepare(source: str, file: str, entry_point: str, tally: Tally) -> Prepared:
    """Raises SyntaxError and what else `compile` raises.
    A definition of the entry point in the tests (a prompt in front) is left out.
    """
    tree = ast.parse(source, file)
    tree.body = [node for node in tree.body if not (_is_function(node) and node.name == entry_point)]
    seen = _Seen(tree, entry_point)
    classes = taken_for_classes(tree, entry_point)
    beyond = unsupported(tree, source, {entry_point, "candidate", *seen.free()})
    for node in tree.body:
        if _is_function(node) and _is_test(node):
            tally.define(node.name)
            node.body.insert(0, _statement("entered", ast.Constant(node.name)))
    explaining = _Explaining(source)
    tree = ast.fix_missing_locations(explaining.visit(tree))
    code = compile(tree, file, "exec", dont_inherit=True)
    return Prepared(
        code,
        seen.free(),
        seen.uses_entry_point(),
        explaining.checks,
        seen.seeds,
        seen.modules,
        seen.stops,
        beyond,
        classes,
    )


def install(scope: dict[str, Any], tally: Tally) -> None:
    scope[_HOOK] = tally


class _Seen(ast.NodeVisitor):
    """Names, imports and expectations of the tests as they were written."""

    def __init__(self, tree: ast.Module, entry_point: str):
        self._entry_point = entry_point
        self._defined: set[str] = set()
        self._used: dict[str, bool] = {}
        self._attributes: set[str] = set()
        self.seeds = False
        self.modules: list[tuple[int, str, str | None]] = []
        self.stops: list[range] = []
        self._guarded = 0
        self.visit(tree)

    def free(self) -> dict[str, bool]:
        """Names that the tests use and neither they nor Python define;
        True where it is called, caught or looked into.
        """
        given = {self._entry_point, "candidate", _HOOK, *vars(builtins), "__file__", "__name__"}
        return {name: role for name, role in self._used.items() if name not in self._defined and name not in given}

    def uses_entry_point(self) -> bool:
        return bool({self._entry_point, "candidate"} & {*self._used, *self._attributes}) or any(
            module == "solution" and name in (self._entry_point, "*") for _, module, name in self.modules
        )

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self._used.setdefault(node.id, False)
        else:
            self._defined.add(node.id)

    def visit_Call(self, node: ast.Call) -> None:
        self._role(node.func)
        if _called_name(node.func) in ("isinstance", "issubclass", *_RAISING):
            for argument in node.args:
                self._role(argument)
        if _called_name(node.func) in ("seed", "setstate"):
            self.seeds = True
        if _called_name(node.func) in _RAISING and any(map(_names_a_stop, node.args)):
            self.stops.append(range(node.lineno, (node.end_lineno or node.lineno) + 1))
        self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self._role(node.value)
        self._attributes.add(node.attr)
        self.generic_visit(node)

    def _role(self, node: ast.expr) -> None:
        for each in node.elts if isinstance(node, ast.Tuple) else [node]:
            if isinstance(each, ast.Name):
                self._used[each.id] = True

    def visit_FunctionDef(self, node: Any) -> None:
        self._defined.add(node.name)
        self.generic_visit(node)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._defined.add(node.name)
        for base in node.bases:
            self._role(base)
        self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> None:
        self._defined.add(node.arg)
        self.generic_visit(node)

    def visit_MatchAs(self, node: ast.MatchAs) -> None:
        self._defined.add(node.name or "_")
        self.generic_visit(node)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if node.name:
            self._defined.add(node.name)
        if node.type:
            self._role(node.type)
        self.generic_visit(node)

    def visit_Try(self, node: Any) -> None:
        guards = any(
            handler.type is None or _catches(handler.type, {"ImportError", "ModuleNotFoundError", *_CATCH_ALL})
            for handler in node.handlers
        )
        self._guarded += guards
        if node.body and any(handler.type and _names_a_stop(handler.type) for handler in node.handlers):
            self.stops.append(range(node.body[0].lineno, (node.body[-1].end_lineno or node.body[-1].lineno) + 1))
        self.generic_visit(node)
        self._guarded -= guards

    visit_TryStar = visit_Try

    def visit_With(self, node: Any) -> None:
        if any(
            isinstance(item.context_expr, ast.Call) and any(map(_names_a_stop, item.context_expr.args))
            for item in node.items
        ):
            self.stops.append(range(node.lineno, (node.end_lineno or node.lineno) + 1))
        self.generic_visit(node)

    def visit_Import(self, node: ast.Import) -> None:
        for each in node.names:
            self._defined.add(each.asname or each.name.partition(".")[0])
            self._needs(node.lineno, each.name, None)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for each in node.names:
            self._defined.add(each.asname or each.name)
            self._needs(node.lineno, "." * node.level + (node.module or ""), each.name)

    def _needs(self, line: int, module: str, name: str | None) -> None:
        if not self._guarded:
            self.modules.append((line, module, name))


_RAISING = ("assertRaises", "assertRaisesRegex", "raises")


def _names_a_stop(node: ast.expr) -> bool:
    return _catches(node, {"StopIteration", "StopAsyncIteration"})


def _catches(node: ast.expr, names: set[str]) -> bool:
    return any(
        isinstance(each, ast.Name) and each.id in names
        for each in (node.elts if isinstance(node, ast.Tuple) else [node])
    )


def _is_function(node: ast.AST) -> TypeGuard[ast.FunctionDef | ast.AsyncFunctionDef]:
    return isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))


def _is_test(node: Any) -> bool:
    required = len(node.args.args) + len(node.args.posonlyargs) - len(node.args.defaults)
    return (node.name == "check" and required == 1) or (node.name.startswith("test") and required == 0)


def _statement(method: str, *arguments: ast.expr) -> ast.Expr:
    return ast.Expr(ast.Call(ast.Attribute(ast.Name(_HOOK, ast.Load()), method, ast.Load()), list(arguments), []))


class _Explaining(ast.NodeTransformer):
    """A check counts once it has held; one that fails ends the tests anyway."""

    def __init__(self, source: str):
        self._lines = [line.encode() for line in source.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
        self.checks = 0

    def visit_Assert(self, node: ast.Assert):
        self.generic_visit(node)
        self.checks += 1
        if node.msg is not None:
            return [node, _placed(_statement("checked"), node)]
        test = node.test
        if isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], ast.Eq):
            return _placed(_statement("equal", self._text(test.left), test.left, test.comparators[0]), node)
        return _placed(_statement("true", self._text(test), test), node)

    def visit_If(self, node: ast.If):
        """`if wrong: raise …`, `if wrong: assert False`, `if wrong: sys.exit(1)`, `if wrong: self.fail()`:
        checks that were made, whatever the outcome.
        """
        checks = any(map(_fails, [*node.body, *node.orelse]))  # asked first, because visiting replaces assertions
        self.generic_visit(node)
        return self._followed(node) if checks else node

    def visit_Expr(self, node: ast.Expr):
        """`self.assertEqual(…)`, `numpy.testing.assert_allclose(…)`."""
        self.generic_visit(node)
        value = node.value.value if isinstance(node.value, ast.Await) else node.value
        return (
            self._followed(node)
            if isinstance(value, ast.Call) and _called_name(value.func).startswith("assert")
            else node
        )

    def visit_With(self, node: Any):
        """`with self.assertRaises(…):`."""
        self.generic_visit(node)
        return self._followed(node) if any(_expects(item.context_expr) for item in node.items) else node

    visit_AsyncWith = visit_With

    def visit_Try(self, node: Any):
        """`except ValueError:` is a check that was made when it is reached; one that catches everything is none."""
        must_raise = any(map(_fails, [*node.body, *node.orelse]))  # asked first, because visiting replaces assertions
        self.generic_visit(node)
        for handler in node.handlers:
            if must_raise or (handler.type is not None and not _catches(handler.type, _CATCH_ALL)):
                self.checks += 1
                handler.body.insert(0, _placed(_statement("checked"), handler.body[0]))
        return node

    visit_TryStar = visit_Try

    def _followed(self, node: ast.stmt) -> list[ast.stmt]:
        self.checks += 1
        return [node, _placed(_statement("checked"), node)]

    def _text(self, node: ast.expr) -> ast.Constant:
        return ast.Constant((self._segment(node) or "the condition")[:200])

    def _segment(self, node: ast.expr) -> str:
        """ast.get_source_segment without splitting the whole source again for each."""
        lines = self._lines[node.lineno - 1 : node.end_lineno]
        if not lines:
            return ""
        lines[-1] = lines[-1][: node.end_col_offset]
        lines[0] = lines[0][node.col_offset :]
        return b"\n".join(lines).decode("utf-8", "replace")


def _leaves(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and _called_name(node.value.func) in _LEAVING


def _fails(node: ast.stmt) -> bool:
    """`assert False`, `raise AssertionError`, `self.fail()`: behind a call that must not return, or if it was wrong."""
    never = isinstance(node, ast.Assert) and isinstance(node.test, ast.Constant) and not node.test.value
    return never or isinstance(node, ast.Raise) or _leaves(node)


def _expects(node: ast.expr) -> bool:
    if not isinstance(node, ast.Call):
        return False
    name = _called_name(node.func)
    return name.startswith(_EXPECTING) or (
        name == "suppress" and not any(_catches(argument, _CATCH_ALL) for argument in node.args)
    )


def _called_name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _placed(new: ast.stmt, old: ast.stmt) -> ast.stmt:
    return ast.copy_location(new, old)
