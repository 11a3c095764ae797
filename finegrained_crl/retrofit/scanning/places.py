"""The places of one file where a classification loss is built, called or written out."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from dataclasses import replace

from finegrained_crl.retrofit.reading.flow import dotted
from finegrained_crl.retrofit.reading.holders import BY_NAME, Build, Holders, Module
from finegrained_crl.retrofit.reading.imports import CRITERIA, FUNCTIONS, OTHER_TIMM, SOFTMAX_LOGS
from finegrained_crl.retrofit.reading.ingredients import ingredient
from finegrained_crl.retrofit.reading.phase import Context, context_of, function_of
from finegrained_crl.retrofit.reading.roles import guess_role, hand_made
from finegrained_crl.retrofit.scanning.found import Site
from finegrained_crl.retrofit.sites.decision import Choice, Facts, decide
from finegrained_crl.retrofit.sites.place import Place

TARGETS = frozenset(("target", "targets", "label", "labels", "y", "gt", "y_true"))
SMOOTHING_CLASS = re.compile(r"(?i)label.?smooth|smooth\w*(ce|cross)|soft.?target|soft\w*cross")
OWN_CLASS = "a loss class of the repository's own: what its parts do stands below; edit it by hand"
WRITTEN_OUT = (
    "the logarithm of a softmax, and targets: a loss (cross-entropy, focal, CRL ..) written out by hand;"
    " nothing is changed here"
)
BY_HAND = (
    "log_softmax by hand: a loss written out, a score, or the input of an nll_loss elsewhere; nothing is changed here"
)
HELD_CRL = re.compile(r"(?i)competing_?ratio|(^|_)crl($|_)|^CRL|CRL(Loss)?$")


def sites_of(module: Module, holders: Holders, choice: Choice) -> Iterable[Site]:
    """The places of a file.

    Args:
        module: the file.
        holders: names and attributes of the repository that hold a criterion.
        choice: of the user.
    """
    for node in module.nodes:
        if isinstance(node, ast.Call):
            site = _of_call(module, node, holders, choice)
        else:
            site = _of_definition(module, node, holders)
        if site is not None:
            yield site


def _of_definition(module: Module, node: ast.AST, holders: Holders) -> Site | None:
    if isinstance(node, ast.ClassDef) and SMOOTHING_CLASS.search(node.name) and node.name not in holders.subclasses:
        return _looked(module, node, node.name, OWN_CLASS)
    if isinstance(node, ast.FunctionDef) and _writes_loss(node):
        return _looked(module, node, "softmax", WRITTEN_OUT)
    return None


def _of_call(module: Module, node: ast.Call, holders: Holders, choice: Choice) -> Site | None:
    loss, last = module.names.loss(node.func), module.names.meaning(node.func).rpartition(".")[2]
    if built := holders.built(module, node):
        return _construction(module, node, built)
    if loss in FUNCTIONS:
        return _call(module, node, loss, set(), choice, holders)
    if builds := _called_criterion(module, node, holders):
        return _call(module, node, "/".join(sorted({b.loss for b in builds})), builds, choice, holders)
    if last == "partial" and node.args and module.names.loss(node.args[0]) in FUNCTIONS:
        return _construction(module, node, module.names.loss(node.args[0]))
    reason = _worth_a_look(module, node, last)
    return _looked(module, node, last, reason) if reason else None


def _worth_a_look(module: Module, node: ast.Call, name: str) -> str:
    """Why a call that is no site may concern the user; "" where it does not."""
    if name[:1].isupper() and SMOOTHING_CLASS.search(name):
        return "builds a loss class of the repository's own, or of a library that is not changed"
    if HELD_CRL.search(name):
        return "the program holds CRL already"
    if name in SOFTMAX_LOGS and not _feeds_nll(module, node):
        return BY_HAND
    return ""


def _writes_loss(function: ast.FunctionDef) -> bool:
    """It takes targets, and calls softmax and log."""
    if not TARGETS & {argument.arg for argument in function.args.args}:
        return False
    functions = [node.func for node in ast.walk(function) if isinstance(node, ast.Call)]
    called = {part.attr if isinstance(part, ast.Attribute) else dotted(part) for part in functions}
    return bool(called & {"softmax", "Softmax"}) and "log" in called


def _called_criterion(module: Module, call: ast.Call, holders: Holders) -> set[Build]:
    if len(call.args) + len(call.keywords) < 2 and not any(isinstance(a, ast.Starred) for a in call.args):
        return set()
    func = call.func
    if isinstance(func, ast.Attribute) and func.attr == "forward":
        func = func.value
    if isinstance(func, ast.Call) and not holders.built(module, func):
        return set()
    return {build for build in holders.of(module, func) if not build.is_class}


def _construction(module: Module, node: ast.Call, loss: str) -> Site:
    problem = "timm's loss on two views has no exact counterpart; it stays" if loss in OTHER_TIMM else ""
    return _site(module, node, "construction", loss, "", "refuse" if problem else "", problem)


def _call(module: Module, node: ast.Call, loss: str, builds: set[Build], choice: Choice, holders: Holders) -> Site:
    source = module.source
    context = context_of(source, node, is_loss=True)
    problem = _problem(module, node, loss) or ingredient(module.source, node)
    place = Place(module.file, node.lineno, function_of(source, node))
    built = tuple(Place(b.file, b.line) for b in sorted(builds, key=lambda b: (b.file, b.line)))
    role = choice.role_at(place, guess_role(source, node))
    facts = Facts(place, role, context.verdict, context.why, context.verdict, (), built, "", problem)
    action, reason = decide(facts, choice)
    if BY_NAME in loss:
        reason += "; if what is built by name is a cross-entropy"
    if context.verdict == "" and action == "replace":
        reason += "; in a run its callers decide"
    shown = "validation" if context.verdict == "eval" else role
    places = tuple(dict.fromkeys(map(str, built)))
    if builds and holders.may_be_another(module, node.func):
        reason = "look here: the attribute is also given what is no criterion, so that this may be another object"
        site = _site(module, node, "call", loss, "", "look", reason, context, places)
        return replace(site, is_certain=False)
    return _site(module, node, "call", loss, shown, action, reason, context, places)


def _problem(module: Module, node: ast.Call, loss: str) -> str:
    if loss == "linear_cross_entropy":
        return "linear_cross_entropy is fused with the classifier: it has no per-sample cross-entropy to start from"
    if loss in ("nll_loss", "NLLLoss", "NLLLoss2d"):
        return hand_made(module.source, node)
    return ""


def _looked(module: Module, node: ast.AST, loss: str, reason: str) -> Site:
    return _site(module, node, "look", loss, "", "look", f"look here: {reason}")


def _site(
    module: Module, node: ast.AST, kind: str, loss: str, role: str, action: str, reason: str,
    context: Context | None = None, built: tuple[str, ...] = (),
) -> Site:  # fmt: skip
    expression = module.source.text_of(node)
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        expression = f"{'class' if isinstance(node, ast.ClassDef) else 'def'} {node.name}"
    guard = ast.unparse(context.guard) if context and context.guard is not None else ""
    end = (getattr(node, "end_lineno", 0), getattr(node, "end_col_offset", 0))
    owner = _owner(module, node, loss) if kind == "construction" else ""
    return Site(
        module.file, node.lineno, node.col_offset, kind, loss, expression, function_of(module.source, node),  # type: ignore[attr-defined]
        role, action, reason, built, context.verdict if context else "", guard, end, owner,
    )  # fmt: skip


def _owner(module: Module, node: ast.AST, loss: str) -> str:
    """What stands between the line and the class that it builds."""
    if loss in FUNCTIONS:
        return "partial"
    return "" if isinstance(node, ast.Call) and module.names.loss(node.func) == loss else "indirect"


def _feeds_nll(module: Module, node: ast.Call) -> bool:
    """log_softmax that only goes into nll_loss is part of that site; `LogSoftmax()` at a model's end is one, too."""
    parent = module.source.parents.get(node)
    if isinstance(parent, ast.Call) and (module.names.loss(parent.func) in ("nll_loss",)):
        return True
    if module.names.meaning(node.func).rpartition(".")[2] == "LogSoftmax" or _returned(module, node, parent):
        return any(
            isinstance(n, ast.Call) and module.names.loss(n.func) in ("nll_loss", *CRITERIA) for n in module.nodes
        )
    if isinstance(parent, ast.Assign) and len(parent.targets) == 1 and (name := dotted(parent.targets[0])):
        inside = list(ast.walk(_scope(module, node)))
        used = [n for n in inside if isinstance(n, ast.Call) and n.args and dotted(n.args[0]) == name]
        feeds = [n for n in used if module.names.loss(n.func) == "nll_loss"]
        return bool(feeds) and not any(hand_made(module.source, n) for n in feeds)
    return False


def _returned(module: Module, node: ast.AST, parent: ast.AST | None) -> bool:
    """`return F.log_softmax(x, 1)`, also by way of a name."""
    name = dotted(parent.targets[0]) if isinstance(parent, ast.Assign) else ""
    return isinstance(parent, ast.Return) or bool(
        name
        and any(
            isinstance(n, ast.Return) and n.value is not None and dotted(n.value) == name
            for n in ast.walk(_scope(module, node))
        )
    )


def _scope(module: Module, node: ast.AST) -> ast.AST:
    while not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Module):
        node = module.source.parents[node]
    return node
