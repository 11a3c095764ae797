"""YAML from outside, read in a way that no file can hang, blow up or run: plain values, bounded in size, depth and
aliases.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from finegrained_crl.data.regular import read_regular
from finegrained_crl.errors import FinegrainedError

MOST_BYTES = 4_000_000
MOST_DEPTH = 20
MOST_NODES = 200_000


class _Loader(yaml.SafeLoader):
    """Plain values only; a key that stands twice, an alias or too deep a nest is an error."""

    depth = 0
    nodes = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.events.AliasEvent):
            raise yaml.YAMLError("aliases (*name) are not allowed")
        self.depth += 1
        self.nodes += 1
        if self.depth > MOST_DEPTH or self.nodes > MOST_NODES:
            raise yaml.YAMLError("nested too deeply, or too many values")
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]  # type: ignore[no-untyped-call]
        doubled = [str(key) for i, key in enumerate(keys) if key in keys[:i]]
        if doubled:
            raise yaml.YAMLError(f"'{doubled[0]}' stands twice")
        return super().construct_mapping(node, deep)


def read_yaml(path: Path, what: str) -> dict[str, Any]:
    """The mapping in a YAML file.

    Args:
        path: the file.
        what: what it should hold, for messages.
    Raises:
        FinegrainedError: no regular file, too large, not UTF-8, not YAML, or no mapping with text keys.
    """
    content = read_regular(path, MOST_BYTES)
    try:
        values = yaml.load(content.decode("utf-8"), Loader=_Loader)
    except (UnicodeDecodeError, yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise FinegrainedError(f"{path} can't be read as {what}: {reason}") from None
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise FinegrainedError(f"{path}: expected {what}, 'name: value' lines, got {_kind(values)}")
    return values


def _kind(values: Any) -> str:
    if values is None:
        return "an empty file"
    return "keys that are no text" if isinstance(values, dict) else type(values).__name__
