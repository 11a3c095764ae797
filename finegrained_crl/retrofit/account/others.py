"""What else trains than the calls that are replaced? Told of the layer that computes their class scores, whose other
users are losses of the same classes, and of passes that no watched call takes part in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from torch import Tensor
from torch.utils.weak import TensorWeakRef, WeakIdKeyDictionary

from finegrained_crl.retrofit.account.arrival import MARK as ARRIVALS
from finegrained_crl.retrofit.account.class_layers import layers_of_scores, users_of, weights_of
from finegrained_crl.retrofit.account.leaves import LAYERS, accumulator_of, leaves_of, trained_by
from finegrained_crl.retrofit.account.ledger import COLUMNS, Ledger
from finegrained_crl.retrofit.account.moves import Moves
from finegrained_crl.retrofit.account.passes import node_of
from finegrained_crl.retrofit.account.softmax_nodes import name_of
from finegrained_crl.retrofit.account.streams import Flow, Follower, Stream
from finegrained_crl.retrofit.account.uses import OPAQUE
from finegrained_crl.retrofit.sites.place import Place

CUTS = ("select", "slice")  # of scores; what else reads a whole table of them is seen where their gradient is compared
LOOKED = COLUMNS.index("looked")
HOOK = "BackwardHook"  # of a module: a step of a plain graph, whatever it is called


class Others:
    """Losses that are no watched calls.

    Args:
        follower: of what becomes of their gradients.
        ledger: where they are counted.
    """

    def __init__(self, follower: Follower, ledger: Ledger) -> None:
        self._follower, self._ledger = follower, ledger
        self.place: Callable[[], Place] | None = None  # that is running; None: nothing is told
        self._sites = WeakIdKeyDictionary()  # weights of class layers -> site, and streams, of the replaced calls
        self._streams: dict[tuple[int, str, str], Stream] = {}  # by generation of the ledger, place and site

    def know(self, stream: Stream, logits: Any) -> None:
        """Remember the layer that computes the scores of replaced calls.

        Args:
            stream: of the calls.
            logits: the node that computed what one of them was called with.
        """
        if self.place is None or not stream.is_replaced:
            return
        row = self._ledger.rows[stream.row]
        for weight in [weight for layer in layers_of_scores(logits) for weight in weights_of(layer)]:
            site, streams = self._sites.setdefault(weight, (row["site"], set()))
            streams.add(id(stream))
            if "layer" not in row:
                self._ledger.add(stream.row, layer=site)

    def look(self, nodes: Iterable[Any], flows: Iterable[Flow], behind: set[Any], roots: Any, passes: int) -> None:
        """Follow what else goes through these layers in a pass.

        Args:
            nodes: of its graph, without what lies below watched values.
            flows: of these.
            behind: the layers that scored for them.
            roots: of the pass.
            passes: that this one stands for.
        """
        if self.place is None or _is_of_gradients(nodes):
            return
        streams = {id(flow.stream): flow.stream for flow in flows}
        for stream in streams.values():
            self._ledger.count(stream.row, LOOKED, passes)
        users = self._users(nodes, behind)
        for layer, weight in users:
            self._follow(layer, weight, passes, streams)
        if not streams and not users:
            self._follow_alone(nodes, roots, passes)

    def noting(self) -> Callable[[str], None]:
        """What writes down, for the program's place that is running now, what may be a class loss."""
        place = self.place() if self.place is not None else None

        def note(text: str) -> None:
            if place is not None:
                self._ledger.count(self._row(place, "", text))

        return note

    def _users(self, nodes: Iterable[Any], behind: set[Any]) -> list[tuple[Any, Tensor]]:
        """The other user, nearest to the root, of each class layer that a pass reaches besides watched values."""
        weights = [weight for weight in self._sites if weight.requires_grad and accumulator_of(weight) in nodes]
        users = [(weight, _free(users_of(weight, nodes), behind)) for weight in weights]
        by_layer = {layers[0]: weight for weight, layers in users if layers}  # of two weights: length and direction
        return list(by_layer.items())

    def _follow(self, layer: Any, weight: Tensor, passes: int, streams: Iterable[int]) -> None:
        site, own = self._sites[weight]
        stream = self._stream(site)
        stream.parameters[id(weight)] = stream.reached = TensorWeakRef(weight)
        self._count(stream, passes, is_alone=own.isdisjoint(streams))
        layer.register_prehook(Flow(self._follower, stream, weight, [accumulator_of(weight)], None))

    def _follow_alone(self, nodes: Iterable[Any], roots: Any, passes: int) -> None:
        """A pass without any watched call that trains a layer, and no penalty of weights alone."""
        root = next((node for node in map(node_of, roots) if node is not None), None)
        if root is None or not any(weights_of(node) for node in nodes if name_of(node) in LAYERS):
            return
        stream, leaves = self._stream(""), leaves_of(root)
        stream.parameters |= trained_by(leaves, root)
        self._count(stream, passes, is_alone=True)
        root.register_prehook(Flow(self._follower, stream, leaves[0].variable, leaves, None))

    def _stream(self, site: str) -> Stream:
        assert self.place is not None
        place = self.place()
        key = self._ledger.generation, str(place), site
        if key not in self._streams:
            self._streams[key] = Stream(self._row(place, site, ""), lambda _: None, is_site=False)
        return self._streams[key]

    def _row(self, place: Place, site: str, text: str) -> int:
        return self._ledger.row(kind="other", site=str(place), function=place.function, of=site, action="", reason=text)

    def _count(self, stream: Stream, passes: int, *, is_alone: bool) -> None:
        self._ledger.count(stream.row, times=passes)
        self._ledger.count(stream.row, LOOKED, passes if is_alone else 0)


def _is_of_gradients(nodes: Iterable[Any]) -> bool:
    """Whether it goes through gradients, or through what hides what it goes through."""
    names = [name_of(node) for node in nodes]
    return any(name.startswith(OPAQUE) or ("Backward" in name and not name.startswith(HOOK)) for name in names)


def _free(layers: Iterable[Any], behind: set[Any]) -> list[Any]:
    """Those that scored for no watched value, or of whose scores the watched calls took a part alone."""
    return [layer for layer in layers if layer not in behind or any(map(_is_cut, layer.metadata.get(ARRIVALS, ())))]


def _is_cut(place: tuple[int, tuple[int, ...], Moves]) -> bool:
    return any(step in CUTS for step, _ in place[2])
