"""What does the program do with a loss's value on its way to the backward pass? The autograd graph says so.

Sums, means, weights, scalings and choices of rows leave a loss what it is. `exp`, `pow`, a product with itself and the
like make another loss of it: cross-entropy was an ingredient there (focal loss, Poly-1, a perplexity, CRL by hand), and
CRL in its place would be neither.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from finegrained_crl.retrofit.account.by_hand import written_by_hand
from finegrained_crl.retrofit.account.passes import node_of
from finegrained_crl.retrofit.account.softmax_nodes import comes_from, name_of

MARK = "fgcrl"  # key of a watched node's metadata
LOGITS = "fgcrl-logits"  # key of the node that computed the logits of a watched value
NODES = 4000  # looked at; a value lies near the root
BEYOND = 40  # levels looked at behind the first meeting: other ways to the same value are longer, but not much
LINEAR = frozenset(
    (
        *("Add", "Sub", "Rsub", "Neg", "Mul", "Div", "Lerp", "Addcmul", "NanToNum"),
        *("Mean", "Sum", "Nansum", "Dot", "Mv", "Mm", "Bmm", "Addmm", "Addmv", "Addbmm", "Baddbmm", "Cumsum"),
        *("View", "UnsafeView", "ReshapeAlias", "Alias", "Clone", "ToCopy", "Copy", "CopySlices", "AsStrided"),
        *("Select", "Slice", "Index", "IndexSelect", "Gather", "Take", "MaskedSelect", "Diagonal", "Where"),
        *("MaskedFill", "MaskedScatter", "Scatter", "ScatterAdd", "IndexAdd", "IndexPut", "IndexCopy", "Fill", "Zero"),
        *("Squeeze", "Unsqueeze", "Expand", "Repeat", "Stack", "Cat", "Permute", "Transpose", "T", "Roll", "Flip"),
        *("Unbind", "Split", "SplitWithSizes", "SegmentReduce", "Lift", "LiftFresh"),
        # Choices of rows by the value: CRL rises with cross-entropy, so that they choose the same ones.
        *("Topk", "Sort", "Max", "Min", "Amax", "Amin", "Median", "Kthvalue"),
        # What data parallelism and hooks of modules put around a value, unchanged or summed over the ranks.
        *("Broadcast", "ReduceAddCoalesced", "AllReduce", "AllGather", "_DDPSink", "_AllReduce", "_AllGather"),
        *("_Broadcast", "_ReduceScatter", "_AlltoAll", "BackwardHookFunction", "PreBackwardFunction"),
        *("_PostBackwardFunction", "PostBackwardFunction", "RegisterPostBackwardFunction"),
    )
)
PRODUCTS = frozenset(("Mul", "Div", "Dot", "Mv", "Mm", "Bmm", "Addcmul", "Addmm", "Baddbmm", "Addbmm", "Addmv"))
LOSSES = ("NllLoss", "NllLoss2D", "NllLossNd", "CrossEntropyLoss")
OPAQUE = ("Compiled", "Checkpoint")  # what lies behind them is seen when they run


@dataclass
class Uses:
    """The graph below the roots of a backward pass, as far as it was looked at.

    Args:
        values: the mark of each watched value, and why it is an ingredient ("" where it is none).
        unseen: what classifies there without being watched: TorchScript, C++ functions, cross-entropy written by hand.
        nodes: that were looked at, the nearest to the roots first.
    """

    values: list[tuple[Any, str]]
    unseen: str
    nodes: Iterable[Any]


def uses_of_values(roots: Iterable[Any]) -> Uses:
    """Find the watched values below the roots of a backward pass, and what is wrong with their way there.

    Args:
        roots: tensors, or graph edges, that `backward` starts from.
    """
    children, marked = _explored(roots)
    parents: dict[Any, list[Any]] = {}
    for node, below in children.items():
        for child in below:
            parents.setdefault(child, []).append(node)
    values = [(mark, _spoiled(node, parents)) for node, mark in marked]
    return Uses(values, _unseen(children), children)


def _unseen(children: dict[Any, list[Any]]) -> str:
    for node, below in children.items():
        name = name_of(node)
        if name in LOSSES and node.metadata.get(MARK) is None and not _is_inside(node, children):
            return "a cross-entropy that no hook sees (TorchScript, or PyTorch's C++ function called directly)"
        if by_hand := written_by_hand(node, below):
            return by_hand
    return ""


def _is_inside(node: Any, graph: Iterable[Any]) -> bool:
    """Whether a loss's node is a part of a watched one, which the graph of a gradient reaches from below."""
    # Else no step's gradient has a graph here.
    return any("Backward" in name_of(other) for other in graph) and comes_from(node, LOGITS)


def _explored(roots: Iterable[Any]) -> tuple[dict[Any, list[Any]], list[tuple[Any, Any]]]:
    """The graph's upper part (node -> nodes that its inputs come from), and the watched nodes in it."""
    todo = deque((node, 0) for node in map(node_of, roots) if node is not None)
    children: dict[Any, list[Any]] = {}
    marked: list[tuple[Any, Any]] = []
    deepest = float("inf")
    while todo and len(children) < NODES:
        node, level = todo.popleft()
        if node in children or level > deepest:
            continue
        mark = node.metadata.get(MARK)
        if mark is not None:
            marked.append((node, mark))
            deepest = min(deepest, level + BEYOND)
        children[node] = [] if mark is not None else [child for child, _ in node.next_functions if child is not None]
        todo.extend((child, level + 1) for child in children[node])
    return children, marked


def _spoiled(value: Any, parents: dict[Any, list[Any]]) -> str:
    above = _ancestors(value, parents)
    odd = [node for node in above if not _is_linear(node) and not name_of(node).startswith(OPAQUE)]
    if odd:
        return _described({name_of(node) for node in odd})
    for node in above:
        if name_of(node) in PRODUCTS and _is_product(node, value, above):
            return "it is multiplied with, or divided by, a function of itself"
    return ""


def _is_linear(node: Any) -> bool:
    """Of the kinds that are, or a power of one."""
    return name_of(node) in LINEAR or (name_of(node) == "Pow" and float(node._saved_exponent) == 1)


def _ancestors(node: Any, parents: dict[Any, list[Any]]) -> dict[Any, None]:
    above: dict[Any, None] = {}
    todo = list(parents.get(node, ()))
    while todo:
        parent = todo.pop()
        if parent not in above:
            above[parent] = None
            todo += parents.get(parent, ())
    return above


def _is_product(node: Any, value: Any, above: dict[Any, None]) -> bool:
    """Two factors come from the value, or the divisor does."""
    carries = [child is value or child in above for child, _ in node.next_functions]
    factors = carries[1:] if name_of(node).startswith(("Add", "Baddbmm")) else carries
    if name_of(node) == "Div":
        return len(carries) > 1 and carries[1]
    return sum(factors) > 1


def _described(names: set[str]) -> str:
    steps = ", ".join(sorted(names))
    if "Exp" in names and "Pow" in names:
        return f"it is an ingredient of a focal loss or the like (its value goes through {steps})"
    if "Exp" in names and names & {"Log", "Log1P"}:
        return f"the program computes CRL, or a loss like it, from it by hand (its value goes through {steps})"
    if names == {"Exp"}:
        return "it is an ingredient of a Poly-1 loss, a perplexity or the like (its value goes through Exp)"
    if any(name.startswith("Compiled") for name in names):
        return f"its value goes through compiled code ({steps})"
    return f"it is an ingredient: its value goes through {steps}, which is no sum, mean, weight or scaling"
