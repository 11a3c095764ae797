"""Write a choice of sites down as a diff: calls are rewritten where they stand, nothing else of a file changes.

The expression itself is rewritten by libcst, which keeps its comments and line breaks, and put back at its byte
positions; so tabs, line ends, encodings and a missing last newline stay what they are. Where all calls of a criterion
are chosen, the line that builds it changes; where only some are, those calls take the criterion's CRL twin and
evaluation goes on with the criterion itself.
"""

from __future__ import annotations

import ast
import difflib
import io
import os
import re
import tokenize
from collections.abc import Iterable
from dataclasses import dataclass

import libcst as cst

from finegrained_crl.errors import FinegrainedError
from finegrained_crl.retrofit.reading.holders import BY_NAME
from finegrained_crl.retrofit.reading.imports import CRITERIA, TIMM
from finegrained_crl.retrofit.reading.source import Source, read_source
from finegrained_crl.retrofit.scan import Scan, Site

CE_OPTIONS = ("weight", "size_average", "ignore_index", "reduce", "reduction", "label_smoothing")
NLL_OPTIONS = CE_OPTIONS[:-1]
SHIPPED = "finegrained_crl"
OF_FUNCTION = {
    "cross_entropy": ("competing_ratio_loss", SHIPPED),
    "nll_loss": ("log_probability_loss", f"{SHIPPED}.retrofit"),
}
NAMED_INPUT = re.compile(r"\binput\s*=[^=]")


@dataclass(frozen=True)
class Edit:
    """Bytes to exchange, and the name that the file must import for it."""

    start: int
    end: int
    text: bytes
    needs: tuple[str, str] | None


class NotCertainError(FinegrainedError):
    """What is called at a site may be something else than a criterion."""


@dataclass
class Patch:
    """The diff and what it leaves out."""

    diff: bytes
    edited: list[str]
    refused: dict[str, str]
    shared: list[str]  # calls that their callers may use for evaluation too: a run asks the callers, a diff can't


def make_patch(found: Scan, alpha: float = 1.5, beta: float = 1.0) -> Patch:
    """Make the diff for the sites that a scan marks "replace".

    Args:
        found: a scan with the user's choice.
        alpha, beta: of CRL; written out where they are not the defaults.
    """
    settings = _settings(alpha, beta)
    diff, edited, shared = b"", [], []
    refused: dict[str, str] = {}
    sites = _targets(found.sites)
    for file in dict.fromkeys(site.file for site in sites):
        path = found.root / file if found.root.is_dir() else found.root
        source, edits = read_source(path), []
        for site in (s for s in sites if s.file == file):
            try:
                if inner := _computed_in(site, found.sites):
                    raise FinegrainedError(f"{inner.function} computes it: name {inner.place} instead")
                edits.append(_edit(source, site, settings))
                edited.append(f"{site.file}:{site.line}")
                shared += [edited[-1]] if site.kind == "call" and not site.verdict else []
            except NotCertainError as error:
                refused[f"{site.file}:{site.line}"] = str(error)
                edits.append(_comment(source, site))
            except FinegrainedError as error:
                refused[f"{site.file}:{site.line}"] = str(error)
            except RecursionError:
                refused[f"{site.file}:{site.line}"] = "nested too deeply; edit it by hand"
        if edits:
            diff += _diff(file, source.data, _apply(source, edits))
    return Patch(diff, edited, refused, shared)


def _comment(source: Source, site: Site) -> Edit:
    """A line above the statement that says why it was left."""
    assert source.tree is not None
    statements = [n for n in ast.walk(source.tree) if isinstance(n, ast.stmt) and n.lineno <= site.line]
    line = max(n.lineno for n in statements if (n.end_lineno or n.lineno) >= site.line)
    start = sum(map(len, source.lines[: line - 1]))
    text = source.lines[line - 1]
    newline = b"\r\n" if text.endswith(b"\r\n") else b"\n"
    indent = text[: len(text) - len(text.lstrip())]
    why = b"# fgcrl: left as it is; what is called here may be another object than a cross-entropy"
    return Edit(start, start, indent + why + newline, None)


def _targets(sites: list[Site]) -> list[Site]:
    """The lines to edit: constructions whose every call is chosen, else the chosen calls."""
    built = [s for s in sites if s.kind == "construction"]
    # A line may build several: it is replaced as a whole only where all of them can be.
    in_parts = {str(site.place) for site in built if not _can_be_whole(site, sites)}
    whole = {str(site.place) for site in built} - in_parts
    chosen = [s for s in sites if s.action == "replace"]
    calls = [s for s in chosen if s.kind == "call" and not (s.built and set(s.built) <= whole)]
    edited = {str(s.place) for s in calls}
    calls += [s for s in sites if not s.is_certain]
    calls = [s for s in calls if not (inner := _computed_in(s, sites)) or str(inner.place) not in edited]
    return [s for s in chosen if s.kind == "construction" and str(s.place) in whole] + calls


def _computed_in(call: Site, sites: list[Site]) -> Site | None:
    """Where a called subclass computes cross-entropy in a forward of its own."""
    if not call.built:
        return None
    names = {f"{loss}.forward" for loss in call.loss.split("/")}
    return next((s for s in sites if s.kind == "call" and s.loss in OF_FUNCTION and s.function in names), None)


def _can_be_whole(site: Site, sites: list[Site]) -> bool:
    calls = [s for s in sites if s.kind == "call" and str(site.place) in s.built]
    others = {b for call in calls for b in call.built} - {str(site.place)}
    simple = site.owner == "" and (site.loss in CRITERIA - {"NLLLoss", "NLLLoss2d"} or site.loss in TIMM)
    simple = simple or (site.owner == "partial" and not any(NAMED_INPUT.search(c.expression) for c in calls))
    return (
        bool(calls)
        and simple
        and not others
        and all(c.action == "replace" and c.verdict == "train" and not c.guard and c.is_certain for c in calls)
    )


def _edit(source: Source, site: Site, settings: list[str]) -> Edit:
    if site.guard and not site.built:
        raise FinegrainedError(
            f"one call serves training and evaluation (`{site.guard}`); edit it by hand, or use `fgcrl retrofit run`"
        )
    if site.built and site.loss in OF_FUNCTION:
        raise FinegrainedError("its `partial` serves other calls too; edit it by hand, or use `fgcrl retrofit run`")
    if not site.is_certain:
        raise NotCertainError(
            f"`{site.expression[:60]}` may be another object: the attribute is also given something that is no"
            " criterion; it is left"
        )
    if site.built and BY_NAME in site.loss:
        raise FinegrainedError(
            "its criterion is chosen by name when the program runs; edit it by hand, or use `fgcrl retrofit run`"
        )
    start, end = _offsets(source, site)
    text = decode_part(source, start, end)
    call = cst.parse_expression(f"({text})")  # brackets allow the line breaks inside
    if not isinstance(call, cst.Call):
        raise FinegrainedError("not a plain call")
    call = call.with_changes(lpar=call.lpar[1:], rpar=call.rpar[1:])
    made, needs = _partial(call, site, settings) if site.owner == "partial" else _rewritten(call, site, settings)
    return Edit(start, end, _encoded(source, cst.Module([]).code_for_node(made)), needs)


def _rewritten(call: cst.Call, site: Site, settings: list[str]) -> tuple[cst.BaseExpression, tuple[str, str]]:
    if site.kind == "construction" and site.loss in TIMM:
        return _timm(call, site, settings), (SHIPPED, "CompetingRatioLoss")
    if site.kind == "construction":
        arguments = _named(call.args, CE_OPTIONS, 0)
        return _call("CompetingRatioLoss", [*_arguments(settings), *arguments]), (SHIPPED, "CompetingRatioLoss")
    if site.loss == "cross_entropy":
        arguments = _with_settings(_named(call.args, ("input", "target", *CE_OPTIONS), 2), settings, "input", "logits")
        return call.with_changes(func=cst.Name("competing_ratio_loss"), args=arguments), (
            SHIPPED,
            "competing_ratio_loss",
        )
    if site.loss == "nll_loss":
        arguments = _with_settings(
            _named(call.args, ("input", "target", *NLL_OPTIONS), 2), settings, "input", "log_probabilities"
        )
        return call.with_changes(func=cst.Name("log_probability_loss"), args=arguments), (
            f"{SHIPPED}.retrofit",
            "log_probability_loss",
        )
    lenient = cst.Arg(cst.Name("False"), keyword=cst.Name("strict"), equal=_tight())
    twin = _call("retrofit_criterion", [cst.Arg(call.func), *_arguments(settings), lenient])
    func: cst.BaseExpression = twin
    if site.guard:  # one call for training and evaluation: the test that guards the backward pass chooses
        func = cst.parse_expression(
            f"({cst.Module([]).code_for_node(twin)} if {site.guard} else {cst.Module([]).code_for_node(call.func)})"
        )
    return call.with_changes(func=func), (f"{SHIPPED}.retrofit", "retrofit_criterion")


def _partial(call: cst.Call, site: Site, settings: list[str]) -> tuple[cst.BaseExpression, tuple[str, str]]:
    """`partial(F.cross_entropy, label_smoothing=0.1)`: the function changes, its options stay."""
    name, home = OF_FUNCTION[site.loss]
    if any(a.star or a.keyword is None for a in call.args[1:]):
        raise FinegrainedError("options of a `partial` in position or by *; name them, or edit it by hand")
    options = _named(call.args[1:], (), 0)
    return call.with_changes(
        args=_with_settings([call.args[0].with_changes(value=cst.Name(name)), *options], settings, "", "")
    ), (
        home,
        name,
    )


def _timm(call: cst.Call, site: Site, settings: list[str]) -> cst.Call:
    given = [a.value for a in call.args]
    smoothing = given[0] if given else cst.Float("0.1")
    more = (
        [cst.Arg(smoothing, keyword=cst.Name("label_smoothing"), equal=_tight())]
        if site.loss.startswith("Label")
        else []
    )
    return _call("CompetingRatioLoss", [*_arguments(settings), *more])


def _named(arguments: Iterable[cst.Arg], names: tuple[str, ...], positional: int) -> list[cst.Arg]:
    """Give keywords to options that stood in position, which our losses ask for."""
    edits = []
    for number, argument in enumerate(arguments):
        if argument.star:
            raise FinegrainedError("called with * or **: its options can't be read; edit it by hand")
        name = names[number] if number < len(names) else ""
        if argument.keyword:
            name = argument.keyword.value
        if (
            name in ("size_average", "reduce")
            and isinstance(argument.value, cst.Name)
            and argument.value.value == "None"
        ):
            continue
        if name in ("size_average", "reduce"):
            raise FinegrainedError(f"`{name}` is long deprecated and CRL does not take it; write `reduction=` first")
        if argument.keyword is None and number >= positional:
            argument = argument.with_changes(keyword=cst.Name(name), equal=_tight())
        edits.append(argument)
    return edits


def _with_settings(arguments: list[cst.Arg], settings: list[str], theirs: str, ours: str) -> list[cst.Arg]:
    renamed = [
        a.with_changes(keyword=cst.Name(ours)) if a.keyword and a.keyword.value == theirs else a for a in arguments
    ]
    if not settings:
        return renamed
    last = renamed[-1]
    if isinstance(last.comma, cst.MaybeSentinel):
        renamed[-1] = last.with_changes(comma=cst.Comma(whitespace_after=cst.SimpleWhitespace(" ")))
    return [*renamed, *_arguments(settings)]


def _arguments(settings: list[str]) -> list[cst.Arg]:
    return [
        cst.Arg(cst.Float(s.partition("=")[2]), keyword=cst.Name(s.partition("=")[0]), equal=_tight()) for s in settings
    ]


def _tight() -> cst.AssignEqual:
    return cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace(""))


def _call(name: str, arguments: list[cst.Arg]) -> cst.Call:
    spaced = [
        a.with_changes(comma=cst.MaybeSentinel.DEFAULT) if isinstance(a.comma, cst.MaybeSentinel) else a
        for a in arguments
    ]
    return cst.Call(cst.Name(name), spaced)


def _settings(alpha: float, beta: float) -> list[str]:
    given = {"alpha": (alpha, 1.5), "beta": (beta, 1.0)}
    return [f"{name}={float(value)!r}" for name, (value, default) in given.items() if value != default]


def _offsets(source: Source, site: Site) -> tuple[int, int]:
    """Byte positions of a site; ast counts UTF-8 bytes, which is not what a file in another encoding holds."""
    starts = [0]
    for line in source.lines:
        starts.append(starts[-1] + len(line))
    shift = 3 if source.data.startswith(b"\xef\xbb\xbf") else 0

    def offset(line: int, column: int) -> int:
        text = source.lines[line - 1][shift if line == 1 else 0 :]
        encoded = len(_encoded(source, _utf8(source, text)[:column].decode(errors="surrogateescape")))
        return starts[line - 1] + encoded + (shift if line == 1 else 0)

    return offset(site.line, site.column), offset(*site.end)


def _encoding(source: Source) -> str:
    return tokenize.detect_encoding(io.BytesIO(source.data).readline)[0].replace("utf-8-sig", "utf-8")


def _utf8(source: Source, text: bytes) -> bytes:
    return text.decode(_encoding(source), "surrogateescape").encode(errors="surrogateescape")


def _encoded(source: Source, text: str) -> bytes:
    return text.encode(_encoding(source), "surrogateescape")


def decode_part(source: Source, start: int, end: int) -> str:
    """A part of a file as text, line ends as they are."""
    return source.data[start:end].decode(_encoding(source), "surrogateescape")


def _apply(source: Source, edits: list[Edit]) -> bytes:
    """Make the edits; an edit inside another is merged by doing the inner one first."""
    data = source.data
    for edit in sorted(edits, key=lambda e: e.start, reverse=True):
        if any(other is not edit and other.start <= edit.start and edit.end <= other.end for other in edits):
            raise FinegrainedError(
                f"{source.path}: one chosen call stands inside another; choose one of them with --only"
            )
        data = data[: edit.start] + edit.text + data[edit.end :]
    return _with_imports(source, data, {edit.needs for edit in edits if edit.needs is not None})


def _with_imports(source: Source, data: bytes, needs: set[tuple[str, str]]) -> bytes:
    """Add the imports behind the last one of the file's head."""
    assert source.tree is not None
    newline = b"\r\n" if b"\r\n" in source.data else b"\n"
    modules = sorted({module for module, _ in needs})
    wanted = [f"from {m} import {', '.join(sorted(n for mod, n in needs if mod == m))}".encode() for m in modules]
    lines = data.splitlines(keepends=True)
    at = _import_line(source.tree)
    if at == 0 and lines and lines[0].startswith(b"\xef\xbb\xbf"):
        lines[0], wanted[0] = lines[0][3:], b"\xef\xbb\xbf" + wanted[0]
    if at and at <= len(lines) and not lines[at - 1].endswith((b"\n", b"\r")):
        lines[at - 1] += newline
    return b"".join([*lines[:at], *(line + newline for line in wanted), *lines[at:]])


def _import_line(tree: ast.Module) -> int:
    """How many lines stand before the new import: up to the last import of the leading block, at the top level."""
    last = 0
    for number, node in enumerate(tree.body):
        docstring = number == 0 and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if isinstance(node, ast.Import | ast.ImportFrom) or docstring:
            last = node.end_lineno or last
        elif last and not isinstance(node, ast.Expr | ast.Assign | ast.If | ast.Try):
            break
        elif not isinstance(node, ast.Expr):
            following = tree.body[number + 1 : number + 2]
            if not (following and isinstance(following[0], ast.Import | ast.ImportFrom)):
                break
    return last


def _diff(file: str, before: bytes, after: bytes) -> bytes:
    lines = difflib.diff_bytes(
        difflib.unified_diff, _lines(before), _lines(after), _quoted(f"a/{file}"), _quoted(f"b/{file}"), lineterm=b"\n"
    )
    diff = b""
    for line in lines:
        diff += line if line.endswith(b"\n") else line + b"\n\\ No newline at end of file\n"
    return b"diff --git " + _quoted(f"a/{file}") + b" " + _quoted(f"b/{file}") + b"\n" + diff


def _lines(data: bytes) -> list[bytes]:
    """Lines as git counts them: a lone carriage return ends none."""
    parts = data.split(b"\n")
    lines = [part + b"\n" for part in parts[:-1]]
    return [*lines, parts[-1]] if parts[-1] else lines


def _quoted(name: str) -> bytes:
    """A path as git writes it."""
    raw = os.fsencode(name)
    if all(32 <= byte < 127 and byte not in b'"\\' for byte in raw):
        return raw
    special = {9: b"\\t", 10: b"\\n", 34: b'\\"', 92: b"\\\\"}
    return b'"' + b"".join(special.get(b) or (bytes([b]) if 32 <= b < 127 else b"\\%03o" % b) for b in raw) + b'"'
