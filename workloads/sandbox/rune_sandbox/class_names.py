"""Which of the program's names the tests use as classes:
only such a class decides by its own operators what its instances equal.
"""

import ast

_ASKING = {"isinstance", "issubclass", "assertIsInstance", "assertNotIsInstance", "assertIsSubclass"}


def taken_for_classes(tree: ast.Module, entry_point: str) -> set[str]:
    """Names whose attributes, or whose results' attributes, the tests look into, or that they pass to `isinstance`.

    A name in CapWords counts too (`is_class_name`). `candidate` is the entry point by another name.
    """
    found = _Found()
    found.visit(tree)
    looked_into = found.looked_into | {made for name in found.looked_into for made in found.made.get(name, ())}
    return looked_into | ({entry_point} if "candidate" in looked_into else set())


def is_class_name(name: str) -> bool:
    return name.lstrip("_")[:1].isupper()


class _Found(ast.NodeVisitor):
    def __init__(self):
        self.looked_into: set[str] = set()
        self.made: dict[str, set[str]] = {}  # variable: names whose results it holds

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self.looked_into.add(_name(node.value))
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        if _last(node.func) in _ASKING:
            self.looked_into |= {
                _last(each)
                for argument in node.args[1:]
                for each in ast.walk(argument)
                if isinstance(each, (ast.Name, ast.Attribute))
            }
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        for target in node.targets:
            self._holds(target, node.value)
        self.generic_visit(node)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self._holds(node.target, node.value)
        self.generic_visit(node)

    def visit_withitem(self, node: ast.withitem) -> None:
        if node.optional_vars is not None:
            self._holds(node.optional_vars, node.context_expr)
        self.generic_visit(node)

    def _holds(self, target: ast.expr, value: ast.expr) -> None:
        pairs = (
            zip(target.elts, value.elts, strict=False)
            if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple)
            else [(target, value)]
        )
        for each, made in pairs:
            if isinstance(made, ast.Call):
                self.made.setdefault(_last(each), set()).add(_last(made.func))


def _name(node: ast.expr) -> str:
    """The name that is looked into: itself, or the source of its result."""
    return _last(node.func) if isinstance(node, ast.Call) else _last(node)


def _last(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
