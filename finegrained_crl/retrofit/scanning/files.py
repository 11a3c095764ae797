"""Which files of a repository are read: those that mention a loss, and those that are handed a criterion."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from pathlib import Path

from finegrained_crl.retrofit.reading.flow import dotted
from finegrained_crl.retrofit.reading.holders import Holders, Module, make_module
from finegrained_crl.retrofit.reading.source import PYTHON2, Source, read_source
from finegrained_crl.retrofit.reading.tree import python_files
from finegrained_crl.retrofit.scanning.found import Scan, Site

SEEDS = re.compile(
    rb"cross_entropy|[cC]ompeting_?[rR]atio|CRL|crl_|CrossEntropy|nll_loss|NLLLoss|[lL]og_?[sS]oftmax|getattr\((torch\.)?nn\b|Label_?[sS]mooth\w*\("
)
LOGARITHM = re.compile(rb"\blog\(")  # beside a softmax: a loss written out, CRL among them
TEXTUAL = re.compile(rb"(CrossEntropyLoss|cross_entropy|NLLLoss|nll_loss|LabelSmoothing\w*)\s*\(")


def _name(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix() if path != root else path.name


def read_files(root: Path, found: Scan) -> list[Module]:
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


def read_callers(root: Path, found: Scan, modules: list[Module], holders: Holders) -> None:
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


def others_elsewhere(root: Path, modules: list[Module], holders: Holders) -> set[tuple[str, str]]:
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
