"""Find, without running anything, every place of a repository where a classification loss is built or called.

Each place gets its role, what `fgcrl retrofit run` would do there, and why. Files that can't be read are named.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from finegrained_crl.retrofit.reading.flow import dotted
from finegrained_crl.retrofit.reading.holders import BY_NAME, Build, Holders, Module, make_module, other_holders, spread
from finegrained_crl.retrofit.reading.imports import CRITERIA, FUNCTIONS, OTHER_TIMM, SOFTMAX_LOGS
from finegrained_crl.retrofit.reading.ingredients import ingredient
from finegrained_crl.retrofit.reading.phase import Context, context_of, function_of
from finegrained_crl.retrofit.reading.roles import guess_role, hand_made
from finegrained_crl.retrofit.reading.source import PYTHON2, Source, read_source
from finegrained_crl.retrofit.reading.tree import python_files
from finegrained_crl.retrofit.sites.decision import Choice, Facts, decide
from finegrained_crl.retrofit.sites.place import Place

SEEDS = re.compile(
    rb"cross_entropy|[cC]ompeting_?[rR]atio|CRL|crl_|CrossEntropy|nll_loss|NLLLoss|[lL]og_?[sS]oftmax|getattr\((torch\.)?nn\b|Label_?[sS]mooth\w*\("
)
LOGARITHM = re.compile(rb"\blog\(")  # beside a softmax: a loss written out, CRL among them
TARGETS = frozenset(("target", "targets", "label", "labels", "y", "gt", "y_true"))
TEXTUAL = re.compile(rb"(CrossEntropyLoss|cross_entropy|NLLLoss|nll_loss|LabelSmoothing\w*)\s*\(")
SMOOTHING_CLASS = re.compile(r"(?i)label.?smooth|smooth\w*(ce|cross)|soft.?target|soft\w*cross")
HELD_CRL = re.compile(r"(?i)competing_?ratio|(^|_)crl($|_)|^CRL|CRL(Loss)?$")
ROUNDS = 6


@dataclass(frozen=True)
class Site:
    """One place in the source."""

    file: str
    line: int
    column: int
    kind: str  # "construction", "call" or "look"
    loss: str
    expression: str
    function: str
    role: str
    action: str  # "replace", "leave", "refuse", "look"; of a construction: what happens to its calls
    reason: str
    built: tuple[str, ...] = ()
    verdict: str = ""
    guard: str = ""
    end: tuple[int, int] = (0, 0)
    # "" for a plain `CrossEntropyLoss(..)`, else what stands between: "partial", "indirect", or the computing subclass.
    owner: str = ""
    is_certain: bool = True  # what is called can be nothing but a criterion, as far as names tell

    @property
    def place(self) -> Place:
        """File, line and function."""
        return Place(self.file, self.line, self.function)


@dataclass
class Scan:
    """What a scan found."""

    root: Path
    sites: list[Site] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    files: int = 0
    profile: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The scan as JSON values."""
        return {
            "format": 1,
            "repository": str(self.root),
            "files": self.files,
            "profile": self.profile or None,
            "sites": [
                {k: v for k, v in asdict(site).items() if k not in ("end", "owner", "is_certain")}
                for site in self.sites
            ],
            "unreadable": self.unreadable,
            "notes": self.notes,
        }


def scan(root: Path, choice: Choice | None = None) -> Scan:
    """Scan a repository.

    Args:
        root: its folder, resolved.
        choice: `--only`, `--skip` and a profile's roles; None: the default.
    """
    result = Scan(root)
    modules = _read(root, result)
    holders = Holders()
    for _ in range(ROUNDS):
        before, grown = len(modules), spread(modules, holders)
        _read_callers(root, result, modules, holders)
        if not grown and len(modules) == before:
            break
    holders.others = other_holders(modules, holders) | _others_elsewhere(root, modules, holders)
    for module in modules:
        try:
            result.sites += _sites_of(module, holders, choice or Choice())
        except RecursionError:
            result.unreadable[module.file] = "nested too deeply"
    result.sites = _judged(result.sites)
    result.sites.sort(key=lambda s: (s.file, s.line, s.column))
    return result


def _name(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix() if path != root else path.name


def _read(root: Path, found: Scan) -> list[Module]:
    """Files that mention a loss, or can't be told."""
    modules: list[Module] = []
    found_files = list(python_files(root))
    found.files = len(found_files)
    for path in found_files:
        data = _bytes(path)
        if data is None or b"\0" in data[:4096] or _may_hold_loss(data) or (len(data) and _looks_broken(data)):
            _take(root, path, found, modules)
    return modules


def _may_hold_loss(data: bytes) -> bool:
    return bool(SEEDS.search(data) or (b"softmax" in data and LOGARITHM.search(data)))


def _bytes(path: Path) -> bytes | None:
    try:
        return path.read_bytes() if path.stat().st_size <= 2_000_000 else None
    except OSError:
        return None


def _looks_broken(data: bytes) -> bool:
    """Python 2 is named even where no loss is mentioned: such a file may call one under any name."""
    return PYTHON2.search(data) is not None


def _take(root: Path, path: Path, found: Scan, modules: list[Module]) -> None:
    source, name = read_source(path), _name(root, path)
    if source.note:
        found.notes[name] = source.note
    if source.tree is not None:
        modules.append(make_module(name, source))
        return
    found.unreadable[name] = source.problem
    for match in TEXTUAL.finditer(source.data):
        found.sites.append(_textual(name, source, match))


def _textual(name: str, source: Source, match: re.Match[bytes]) -> Site:
    """A loss in a file that can't be parsed: shown as text."""
    start = source.data.rfind(b"\n", 0, match.start()) + 1
    line = source.data[start:].split(b"\n", 1)[0].strip().decode("utf-8", "replace")[:100]
    number = source.data.count(b"\n", 0, match.start()) + 1
    return Site(
        name,
        number,
        match.start() - start,
        "look",
        match.group(1).decode(),
        line,
        "?",
        "class",
        "look",
        f"file not readable: {source.problem}",
    )


def _read_callers(root: Path, found: Scan, modules: list[Module], holders: Holders) -> None:
    """Files that mention no loss, but a function or attribute that a criterion was handed to."""
    files = {module.file for module in modules} | set(found.unreadable)
    words = {name.lstrip(".") for _, name in holders.holders} | set(holders.factories) | set(holders.subclasses)
    words |= {call for module in modules for call in _handed_to(module, holders)}
    if not words:
        return
    either = b"|".join(re.escape(w.encode()) for w in sorted(words))
    wanted = re.compile(rb"\b(" + either + rb")\b\s*[(\[]|\bclass\s+(" + either + rb")\b")
    for path in python_files(root):
        data = _bytes(path) if _name(root, path) not in files else None
        if data is not None and wanted.search(data):
            _take(root, path, found, modules)


def _others_elsewhere(root: Path, modules: list[Module], holders: Holders) -> set[tuple[str, str]]:
    """Attributes that a file without any loss gives a value to: whatever it is, it is no criterion."""
    if not holders.shared_attributes:
        return set()
    files = {module.file for module in modules}
    names = b"|".join(re.escape(name.encode()) for name in sorted(holders.shared_attributes))
    stores = re.compile(rb"\.(" + names + rb")\s*=(?!=|\s*None\b)")
    data = (_bytes(path) for path in python_files(root) if _name(root, path) not in files)
    return {("", match.decode()) for content in data if content for match in stores.findall(content)}


def _handed_to(module: Module, holders: Holders) -> Iterable[str]:
    """Names of functions that get a criterion as an argument."""
    for node in module.nodes:
        name = dotted(node.func).rpartition(".")[2] if isinstance(node, ast.Call) else ""
        if (
            isinstance(node, ast.Call)
            and name
            and any(holders.of(module, v) for v in (*node.args, *(k.value for k in node.keywords)))
        ):
            yield name


def _sites_of(module: Module, holders: Holders, choice: Choice) -> Iterable[Site]:
    for node in module.nodes:
        if isinstance(node, ast.ClassDef) and SMOOTHING_CLASS.search(node.name) and node.name not in holders.subclasses:
            yield _looked(
                module,
                node,
                node.name,
                "a loss class of the repository's own: what its parts do stands below; edit it by hand",
            )
        if isinstance(node, ast.FunctionDef) and _writes_loss(node):
            yield _looked(
                module,
                node,
                "softmax",
                "the logarithm of a softmax, and targets: a loss (cross-entropy, focal, CRL ..) written out by hand;"
                " nothing is changed here",
            )
        if not isinstance(node, ast.Call):
            continue
        loss, last = module.names.loss(node.func), module.names.meaning(node.func).rpartition(".")[2]
        if built := holders.built(module, node):
            yield _construction(module, node, built)
        elif loss in FUNCTIONS:
            yield _call(module, node, loss, set(), choice, holders)
        elif builds := _called_criterion(module, node, holders):
            yield _call(module, node, "/".join(sorted({b.loss for b in builds})), builds, choice, holders)
        elif last[:1].isupper() and SMOOTHING_CLASS.search(last):
            yield _looked(
                module, node, last, "builds a loss class of the repository's own, or of a library that is not changed"
            )
        elif HELD_CRL.search(last):
            yield _looked(module, node, last, "the program holds CRL already")
        elif last in SOFTMAX_LOGS and not _feeds_nll(module, node):
            yield _looked(
                module,
                node,
                last,
                "log_softmax by hand: a loss written out, a score, or the input of an nll_loss elsewhere; nothing is"
                " changed here",
            )
        elif last == "partial" and node.args and module.names.loss(node.args[0]) in FUNCTIONS:
            yield _construction(module, node, module.names.loss(node.args[0]))


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


def _judged(sites: list[Site]) -> list[Site]:
    """Constructions take over what happens to their calls; one that nothing calls is said so."""
    calls: dict[str, list[Site]] = {}
    for site in sites:
        for built in site.built:
            calls.setdefault(built, []).append(site)
    return [
        _judge(site, calls.get(str(site.place), [])) if site.kind == "construction" and not site.action else site
        for site in sites
    ]


def _judge(site: Site, calls: list[Site]) -> Site:
    actions = {call.action for call in calls}
    lines = ", ".join(f"{call.file}:{call.line}" for call in calls[:6])
    if len(calls) > 6:
        lines += " .."
    if not calls:
        action, reason, role = "look", "no call of it was found: unused, or handed to a library", ""
    elif actions == {"replace"}:
        action, reason, role = "replace", f"called at {lines}", "/".join(sorted({c.role for c in calls}))
    elif "replace" in actions:
        action, reason, role = "replace", f"in part: called at {lines}", "/".join(sorted({c.role for c in calls}))
    else:
        action, reason, role = calls[0].action, f"called at {lines}", "/".join(sorted({c.role for c in calls}))
    values = {**asdict(site), "action": action, "reason": reason, "role": role}
    return Site(**values)
