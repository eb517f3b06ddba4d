"""Features that tests need and that can't work when the program is in another process:
found in their text, before anything runs.
"""

import ast

_REPLACEABLE = {"builtins.input", "builtins.print", "sys.stdin", "sys.stdout", "sys.stderr"}
_WORDS = ("patch", "solution", "class ")  # without these there is nothing to look for
_FIXTURES = "nothing here gives a test its arguments"


def unsupported(tree: ast.Module, source: str, program_names: set[str]) -> tuple[int, str] | None:
    """(line, why) of the first such thing. `program_names` are the entry point and what else only the program can define."""
    reasons = _fixtures(tree)
    if any(word in source for word in _WORDS):
        found = _Found({"solution", *program_names}, _imported(tree))
        found.visit(tree)
        reasons += found.reasons
    return min(reasons, default=None)


def _imported(tree: ast.Module) -> set[str]:
    """Modules by the names the tests give them."""
    imports = [each for node in ast.walk(tree) if isinstance(node, ast.Import) for each in node.names]
    return {each.asname or each.name.partition(".")[0] for each in imports}


def _fixtures(tree: ast.Module) -> list[tuple[int, str]]:
    """pytest's fixtures: test functions with arguments, which nothing here supplies."""
    asking = [
        node
        for node in tree.body
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test")
        if len(node.args.args) > len(node.args.defaults)
    ]
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} if asking else set()
    return [
        (node.lineno, f"{node.name} takes {', '.join(repr(each.arg) for each in node.args.args)}; {_FIXTURES}")
        for node in asking
        if node.name not in used
    ]


class _Found(ast.NodeVisitor):
    def __init__(self, program_names: set[str], modules: set[str]):
        self._program, self._modules = program_names, modules
        self.reasons: list[tuple[int, str]] = []

    def visit_Call(self, node: ast.Call) -> None:
        target = _patched(node)
        if target is not None and self._is_elsewhere(node, target):
            self.reasons.append(
                (node.lineno, f"{target} is replaced here, but the program, in another process, keeps its own")
            )
        self.generic_visit(node)

    def _is_elsewhere(self, node: ast.Call, target: str) -> bool:
        if target in _REPLACEABLE:
            return False
        return isinstance(node.args[0], ast.Constant) or target.partition(".")[0] in self._program | self._modules

    def visit_Assign(self, node: ast.Assign) -> None:
        for each in node.targets:
            if isinstance(each, ast.Attribute) and isinstance(each.value, ast.Name) and each.value.id == "solution":
                self.reasons.append(
                    (
                        node.lineno,
                        f"solution.{each.attr} is replaced here, but the program, in another process, keeps its own",
                    )
                )
        self.generic_visit(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for base in node.bases:
            if (name := _dotted(base)).partition(".")[0] in self._program:
                self.reasons.append(
                    (
                        node.lineno,
                        f"{node.name} derives from {name}, a class of the program, which lives in another process",
                    )
                )
        self.generic_visit(node)


def _patched(node: ast.Call) -> str | None:
    """What a call of mock.patch or monkeypatch.setattr replaces: `module.name`."""
    function = _dotted(node.func)
    if not node.args:
        return None
    if function in ("patch", "mock.patch", "unittest.mock.patch"):
        return (
            node.args[0].value
            if isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str)
            else None
        )
    if (
        function.endswith(("patch.object", "monkeypatch.setattr"))
        and len(node.args) > 1
        and isinstance(node.args[1], ast.Constant)
    ):
        return f"{_dotted(node.args[0])}.{node.args[1].value}"
    return None


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""
