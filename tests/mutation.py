"""Wrong answers made by a machine: right ones with one small thing changed in their source.

The mistakes of tests/mutants/ were thought of by the authors of the checks. These were not: every operator, comparison,
constant, axis, minimum and clip of a right answer is changed in turn, so they show what a check overlooks.
"""

import ast
import copy
import inspect
import textwrap
import types
from collections.abc import Callable, Iterator
from typing import NamedTuple

OPERATORS = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Div,
    ast.Pow: ast.Mult,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
TWINS = [  # a name for another one, both ways
    ("min", "max"),
    ("minimum", "maximum"),
    ("amin", "amax"),
    ("argmin", "argmax"),
    ("floor", "ceil"),
    ("any", "all"),
    ("exp", "exp2"),
    ("log", "log2"),
    ("sum", "mean"),
    ("round", "floor"),
]
NAMES = {one: other for pair in TWINS for one, other in (pair, pair[::-1])} | {"round": "floor", "floor": "ceil"}
DROPPED = {"clip", "clamp", "abs", "round", "sqrt", "exp", "log"}  # value.clamp(...) becomes value
INNOCENT = {"strict", "dtype", "stable", "out", "keepdim", "keepdims", "kind"}  # arguments that seldom change a value


class Mutant(NamedTuple):
    """What was changed, and the changed function."""

    change: str
    function: Callable


def mutants_of(function: Callable) -> Iterator[Mutant]:
    """Every change of one place of a function's source. Its helpers stay as they are; it may have no closure."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    for number, node in enumerate(_places(tree)):
        for make in _changes(node):
            changed = copy.deepcopy(tree)
            target = list(_places(changed))[number]
            new = make(target)
            if new is not target:
                _replace(changed, target, new)
            words = f"line {node.lineno}: `{ast.unparse(node)}` became `{ast.unparse(new)}`"
            yield Mutant(words, _compiled(changed, function))


def can_be_changed(function: object) -> bool:
    """Whether `mutants_of` works on it: a function written with ``def`` at the top of a file."""
    return isinstance(function, types.FunctionType) and not function.__closure__ and function.__name__ != "<lambda>"


def _places(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes in a fixed order, without those below arguments that seldom matter."""
    yield tree
    for child in ast.iter_child_nodes(tree):
        if not (isinstance(child, ast.keyword) and child.arg in INNOCENT):
            yield from _places(child)


def _changes(node: ast.AST) -> Iterator[Callable[[ast.AST], ast.AST]]:
    """Functions that change such a node in place, or make another."""
    operator = getattr(node, "op", None) or (getattr(node, "ops", None) or [None])[0]
    if type(operator) in OPERATORS:
        yield lambda n: _with_operator(n, OPERATORS[type(operator)]())
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.Not, ast.Invert)):
        yield lambda n: n.operand
    if isinstance(node, ast.Constant) and type(node.value) in (int, float, bool):
        yield lambda n: ast.Constant(_other_number(n.value))
    if isinstance(node, ast.Call):
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        if name in NAMES:
            yield lambda n: _renamed(n, NAMES[name])
        if (
            name in DROPPED
            and isinstance(node.func, ast.Attribute)
            and getattr(node.func.value, "id", "") not in _MODULES
        ):
            yield lambda n: n.func.value
    if isinstance(node, ast.Tuple) and len(node.elts) in (2, 4) and isinstance(node.ctx, ast.Store):
        yield lambda n: ast.Tuple([n.elts[1], n.elts[0], *n.elts[2:]], n.ctx)


_MODULES = {"np", "torch", "math", "F"}


def _other_number(value: float) -> float:
    """0 and 1 for each other (an axis, a border), else one more; a fraction is doubled."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, float):
        return 2 * value if value else 1.0
    return 1 - value if value in (0, 1) else value + 1


def _with_operator(node: ast.AST, operator: ast.AST) -> ast.AST:
    if isinstance(node, ast.Compare):
        node.ops[0] = operator
    else:
        node.op = operator
    return node


def _renamed(node: ast.Call, name: str) -> ast.Call:
    if isinstance(node.func, ast.Attribute):
        node.func.attr = name
    else:
        node.func.id = name
    return node


def _replace(tree: ast.AST, old: ast.AST, new: ast.AST) -> None:
    for parent in ast.walk(tree):
        for field, value in ast.iter_fields(parent):
            if value is old:
                setattr(parent, field, new)
            elif isinstance(value, list):
                value[:] = [new if item is old else item for item in value]


def _compiled(tree: ast.Module, function: Callable) -> Callable:
    """The changed source as a function that sees the names which the right one sees."""
    space = dict(function.__globals__)
    exec(compile(ast.fix_missing_locations(tree), f"<mutant of {function.__name__}>", "exec"), space)
    return space[function.__name__]
