"""Which names hold a criterion, across the files of a repository?

Starts from the lines that build one and follows plain steps until nothing new is found: assignment, attributes of
objects, arguments of functions and constructors, functions that return one, containers. Names are followed, not values:
what is found is where to look, and the receipt of a run is what is true.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field

from finegrained_crl.retrofit.reading.flow import dotted
from finegrained_crl.retrofit.reading.imports import CRITERIA, Names, names_of
from finegrained_crl.retrofit.reading.source import Source

WRAPPERS = {
    "ModuleList",
    "ModuleDict",
    "Sequential",
    "dict",
    "list",
    "tuple",
    "zip",
    "enumerate",
    "reversed",
    "DataParallel",
    "compile",
}
LOOKUPS = {"get", "pop", "values", "items", "__getitem__"}  # of a dict that holds criteria
CARRIERS = (ast.Call, ast.Name, ast.Attribute, ast.Tuple, ast.List, ast.Dict)
BY_NAME = "by name"
LOSS_WORDS = re.compile(r"(?i)loss|criteri|objective")
MOVERS = {"cuda", "to", "cpu", "double", "float", "half", "train", "eval", "requires_grad_", "type"}


@dataclass(frozen=True)
class Build:
    """A line that builds a criterion, or (`is_class`) a name for its class that something else may build it from."""

    file: str
    line: int
    loss: str
    is_class: bool = False


@dataclass
class Module:
    """A readable file with its names."""

    file: str
    source: Source
    names: Names
    nodes: list[ast.AST] = field(default_factory=list)


@dataclass
class Holders:
    """Names that hold holders: (file, name), (file, .attribute), and ("", name) for attributes and globals that other
    files may use.
    """

    holders: dict[tuple[str, str], set[Build]] = field(default_factory=dict)
    factories: dict[str, set[Build]] = field(default_factory=dict)  # functions that return a criterion
    subclasses: dict[str, str] = field(default_factory=dict)  # class -> the criterion it derives from
    others: set[tuple[str, str]] = field(default_factory=set)  # (file, attribute) given something else, "" for any

    def of(self, module: Module, node: ast.AST) -> set[Build]:
        """The criteria that an expression may be; empty for none."""
        node = unwrap(node)
        if isinstance(node, ast.Call):
            return self._called(module, node)
        if isinstance(node, ast.IfExp):
            return self.of(module, node.body) | self.of(module, node.orelse)
        if isinstance(node, ast.BoolOp):
            return set().union(*(self.of(module, value) for value in node.values))
        if isinstance(node, ast.Subscript):
            return self.of(module, node.value)
        if isinstance(node, ast.Dict | ast.List | ast.Tuple):
            values = node.values if isinstance(node, ast.Dict) else node.elts
            return set().union(*(self.of(module, v) for v in values if isinstance(v, CARRIERS)))
        if isinstance(node, ast.Name | ast.Attribute) and (loss := self.class_named(module, node)):
            return {Build(module.file, node.lineno, loss, True)}
        if isinstance(node, ast.Attribute):
            return self.holders.get((module.file, f".{node.attr}")) or self.holders.get(
                ("", node.attr), set()
            )  # this file's own first
        if isinstance(node, ast.Name):
            holders = self.holders.get((module.file, node.id), set())
            imported = node.id in module.names.modules or module.names.stars
            return holders | (self.holders.get(("", node.id), set()) if imported else set())
        return set()

    def may_be_another(self, module: Module, node: ast.AST) -> bool:
        """Whether an expression was followed by an attribute's name alone, and the name serves other objects, too."""
        node = unwrap(node)
        if isinstance(node, ast.Call | ast.Subscript):
            return self.may_be_another(module, node.func if isinstance(node, ast.Call) else node.value)
        if not isinstance(node, ast.Attribute):
            return False
        is_own = dotted(node.value) == "self" and (module.file, f".{node.attr}") in self.holders
        return ((module.file if is_own else ""), node.attr) in self.others

    @property
    def shared_attributes(self) -> set[str]:
        """Attributes that other files may hold a criterion under."""
        return {name for file, name in self.holders if not file}

    def class_named(self, module: Module, node: ast.AST) -> str:
        """The criterion class, or the repository's subclass of one, that a name stands for; "" for none."""
        loss = module.names.loss(node)
        if loss and (loss in CRITERIA or loss[0].isupper()):
            return loss
        name = dotted(node).rpartition(".")[2]
        return name if self.subclasses.get(name) else ""

    def built(self, module: Module, call: ast.Call) -> str:
        """The criterion that a call builds, "" where it builds none."""
        if loss := self.class_named(module, call.func):
            return loss
        if by_name(module, call.func):
            return BY_NAME
        classes: set[str] = set()
        if len(call.args) < 2:
            classes = {b.loss for b in self.of(module, call.func) if b.is_class}
        classes |= {
            b.loss for k in call.keywords if k.arg == "default_factory" for b in self.of(module, k.value) if b.is_class
        }
        return "/".join(sorted(classes))

    def _called(self, module: Module, call: ast.Call) -> set[Build]:
        name = dotted(call.func).rpartition(".")[2]
        if name == "partial" and call.args:
            loss = module.names.loss(call.args[0])
            return {Build(module.file, call.lineno, loss, loss in CRITERIA or loss[0].isupper())} if loss else set()
        if loss := self.built(module, call):
            return {Build(module.file, call.lineno, loss)}
        if name in WRAPPERS and call.args:
            return set().union(
                *(self.of(module, a) for a in call.args), *(self.of(module, k.value) for k in call.keywords)
            )
        if isinstance(call.func, ast.Attribute) and name in LOOKUPS:
            return self.of(module, call.func.value)
        return self.factories.get(name, set())


def by_name(module: Module, node: ast.AST) -> bool:
    """`getattr(nn, config.loss)`: some class of torch.nn, and a loss to judge by the words around it."""
    if not (isinstance(node, ast.Call) and dotted(node.func) == "getattr" and len(node.args) > 1):
        return False
    words = " ".join(
        ast.unparse(part)
        for part in (node.args[1], module.source.parents.get(module.source.parents.get(node, node), node))
    )
    return module.names.meaning(node.args[0]) in ("nn", "torch.nn", "torch.nn.modules.loss") and bool(
        LOSS_WORDS.search(words)
    )


def unwrap(node: ast.AST) -> ast.AST:
    """Take `.cuda()`, `.to(device)` and the like off an expression."""
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in MOVERS:
        node = node.func.value
    return node


def make_module(file: str, source: Source) -> Module:
    """Prepare a readable file."""
    assert source.tree is not None
    return Module(file, source, names_of(source.tree), list(ast.walk(source.tree)))


def spread(modules: list[Module], holders: Holders) -> bool:
    """Follow every step once; True where something new was found."""
    before = _size(holders)
    functions = _functions(modules)
    for module in modules:
        for node in module.nodes:
            if isinstance(node, ast.ClassDef):
                _derive(module, node, holders)
            elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
                _assign(module, node, holders)
            elif isinstance(node, ast.For | ast.comprehension):
                _hold(module, node.target, holders.of(module, node.iter), holders)
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                _defaults(module, node, holders)
            elif isinstance(node, ast.Return) and node.value is not None:
                _return(module, node, holders)
            elif isinstance(node, ast.Call):
                _pass_on(module, node, holders, functions)
    return _size(holders) != before


def other_holders(modules: list[Module], holders: Holders) -> set[tuple[str, str]]:
    """Attributes (`.criterion`) that are also given a value that is no criterion; None does not count."""
    names: set[tuple[str, str]] = set()
    for module in modules:
        for node in module.nodes:
            if not isinstance(node, ast.Assign) or (isinstance(node.value, ast.Constant) and node.value.value is None):
                continue
            attributes = [target.attr for target in node.targets if isinstance(target, ast.Attribute)]
            if attributes and not holders.of(module, node.value):
                names.update((file, name) for name in attributes for file in (module.file, ""))
    return names


def _size(holders: Holders) -> tuple[int, int, int]:
    return (
        sum(map(len, holders.holders.values())),
        sum(map(len, holders.factories.values())),
        len(holders.subclasses),
    )


def _functions(modules: list[Module]) -> dict[str, list[tuple[Module, ast.FunctionDef, bool]]]:
    """Name -> (file, definition, is it a method or constructor)."""
    functions: dict[str, list[tuple[Module, ast.FunctionDef, bool]]] = {}
    for module in modules:
        for node in module.nodes:
            if isinstance(node, ast.FunctionDef):
                owner = module.source.parents.get(node)
                name = owner.name if node.name == "__init__" and isinstance(owner, ast.ClassDef) else node.name
                functions.setdefault(name, []).append((module, node, isinstance(owner, ast.ClassDef)))
    return functions


def _derive(module: Module, node: ast.ClassDef, holders: Holders) -> None:
    for base in node.bases:
        loss = module.names.loss(base) or holders.subclasses.get(dotted(base).rpartition(".")[2], "")
        if loss and loss[0].isupper():
            holders.subclasses[node.name] = loss


def _assign(module: Module, node: ast.Assign | ast.AnnAssign, holders: Holders) -> None:
    assert node.value is not None
    value, targets = node.value, node.targets if isinstance(node, ast.Assign) else [node.target]
    for target in targets:
        if (
            isinstance(target, ast.Tuple | ast.List)
            and isinstance(value, ast.Tuple | ast.List)
            and len(target.elts) == len(value.elts)
        ):
            for each, its in zip(target.elts, value.elts, strict=True):
                _hold(module, each, holders.of(module, its), holders)
        else:
            _hold(module, target, holders.of(module, value), holders)


def _hold(module: Module, target: ast.AST, builds: set[Build], holders: Holders) -> None:
    if not builds:
        return
    if isinstance(
        target, ast.Tuple | ast.List
    ):  # `for weight, criterion in holders:` - which one it is, names alone don't tell
        for element in target.elts:
            _hold(module, element, builds, holders)
    if isinstance(target, ast.Subscript):
        target = target.value
    if isinstance(target, ast.Attribute):
        holders.holders.setdefault(("", target.attr), set()).update(builds)
        holders.holders.setdefault((module.file, f".{target.attr}"), set()).update(builds)
    elif isinstance(target, ast.Name):
        holders.holders.setdefault((module.file, target.id), set()).update(builds)
        around = module.source.parents.get(module.source.parents.get(target, target))
        if isinstance(around, ast.ClassDef):  # a dataclass's field, or an attribute that all objects share
            holders.holders.setdefault((module.file, f".{target.id}"), set()).update(builds)
        if isinstance(around, ast.Module | ast.ClassDef):
            holders.holders.setdefault(("", target.id), set()).update(builds)  # other files may import it


def _defaults(module: Module, node: ast.FunctionDef | ast.AsyncFunctionDef, holders: Holders) -> None:
    """`def train(criterion=nn.CrossEntropyLoss()):`"""
    arguments = node.args
    positional = [*arguments.posonlyargs, *arguments.args]
    pairs = [*zip(positional[::-1], arguments.defaults[::-1], strict=False)]
    pairs += [(a, d) for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if d is not None]
    for parameter, default in pairs:
        if builds := holders.of(module, default):
            holders.holders.setdefault((module.file, parameter.arg), set()).update(builds)


def _return(module: Module, node: ast.Return, holders: Holders) -> None:
    builds = holders.of(module, node.value) if node.value is not None else set()
    above: ast.AST | None = node
    while above is not None and not isinstance(above, ast.FunctionDef):
        above = module.source.parents.get(above)
    if builds and isinstance(above, ast.FunctionDef):
        holders.factories.setdefault(above.name, set()).update(builds)


def _pass_on(
    module: Module, call: ast.Call, holders: Holders, functions: dict[str, list[tuple[Module, ast.FunctionDef, bool]]]
) -> None:
    """An argument that is a criterion makes the parameter one."""
    name = dotted(call.func).rpartition(".")[2]
    if isinstance(call.func, ast.Attribute) and call.func.attr == "append" and call.args:
        _hold(module, call.func.value, holders.of(module, call.args[0]), holders)
    candidates = functions.get(name, [])
    for there, definition, bound in [f for f in candidates if f[0] is module] or candidates:
        parameters = [a.arg for a in (*definition.args.posonlyargs, *definition.args.args)][1 if bound else 0 :]
        given = list(zip(parameters, call.args, strict=False)) + [(k.arg, k.value) for k in call.keywords if k.arg]
        for parameter, value in given:
            if builds := holders.of(module, value):
                holders.holders.setdefault((there.file, parameter), set()).update(builds)
