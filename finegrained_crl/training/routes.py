"""`--data-in`: a run's pictures come from their files, from memory or from the device; the pixels are the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from finegrained_crl.data.content_hashes import CACHE_VARIABLE
from finegrained_crl.data.loading import Pictures
from finegrained_crl.data.picture_store import open_store, room_for_stores, store_key
from finegrained_crl.data.stored_pictures import Cutter, StoredPictures, make_cutter, picture_paths
from finegrained_crl.data.transforms import EvalTransform, TrainTransform
from finegrained_crl.data.windows import Ints, only_cuts
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.training.run_options import DataIn

if TYPE_CHECKING:
    from finegrained_crl.training.session import Session

UNASKED_BYTES = 1 << 30
"""What `auto` may put into the user's cache folder without being asked."""
LOOKED_AT = 16
"""Pictures that the size of a store is estimated from."""


@dataclass(frozen=True)
class Route:
    """Where pictures come from.

    Attributes:
        kind: "files", "memory" or "device".
        bytes: of the prepared training pictures, estimated; 0 for files.
    """

    kind: str
    bytes: int = 0

    def __str__(self) -> str:
        return "files" if self.kind == "files" else f"{self.kind} ({self.bytes / 2**20:,.0f} MiB of decoded pictures)"


def choose_route(session: Session, asked: DataIn) -> Route:
    """The route of a run.

    Args:
        session: its records, parts, recipe and method.
        asked: "auto" takes memory, or a GPU's, where augmentation only cuts and what is kept is small; files otherwise.
    Raises:
        FinegrainedError: a route that this run can't take.
    """
    if asked == "files":
        return Route("files")
    can_cut = only_cuts(session.train_transform.settings) and session.trainee.method.per_image() is None
    if asked == "auto" and not can_cut:
        return Route("files")
    if asked == "device" and not can_cut:
        raise FinegrainedError(
            "--data-in device cuts and flips on the device and does nothing else: this recipe has --crop-scale,"
            " --rotate, --color-jitter or --erase, or a method that changes each picture; pass --data-in memory"
        )
    needed = _estimated_bytes(session)
    on_gpu = session.accelerator.device.type == "cuda"
    if asked == "auto":
        small = needed <= min(UNASKED_BYTES, room_for_stores() // 4)
        return Route("device" if on_gpu else "memory", needed) if small else Route("files")
    free = room_for_stores()
    if needed > free:
        raise FinegrainedError(
            f"--data-in {asked} would keep {needed / 2**30:.1f} GiB of decoded pictures and {free / 2**30:.1f} GiB are"
            f" free: set {CACHE_VARIABLE} to another folder, or pass --data-in files"
        )
    return Route(asked, needed)


def make_pictures(session: Session, transform: TrainTransform | EvalTransform) -> Pictures:
    """Pictures with a transform, over the session's route."""
    records, convert = session.records, session.recipe.convert_images
    per_image = session.trainee.method.per_image() if isinstance(transform, TrainTransform) else None
    if session.route.kind == "files":
        return Pictures(records, transform, convert=convert, per_image=per_image)
    rows = _used_rows(session)
    cutter = _cutter(session, transform, rows)
    return StoredPictures(records, transform, cutter, rows, per_image=per_image)


def _cutter(session: Session, transform: TrainTransform | EvalTransform, rows: Ints) -> Cutter:
    """One for all that is prepared alike: its store is read, and copied to a device, once."""
    digests = session.data.require_pictures()["sha256"].iloc[rows].tolist()
    convert = session.recipe.convert_images
    key = store_key(digests, transform.prepared, convert=convert)
    if key not in session.cutters:
        with session.accelerator.local_main_process_first():  # the others find what the first one made
            paths, least_side = picture_paths(session.records, rows), transform.least_side
            store = open_store(key, paths, transform.prepare, convert=convert, least_side=least_side)
        device = session.accelerator.device if session.route.kind == "device" else None
        session.cutters[key] = make_cutter(store, device)
    return session.cutters[key]


def _used_rows(session: Session) -> Ints:
    parts = session.parts
    return np.sort(np.concatenate([parts.train, parts.val, parts.test]).astype(np.int64))


def _estimated_bytes(session: Session) -> int:
    """Bytes of all prepared pictures, from a few of them; unreadable ones are told when the store is made."""
    rows = _used_rows(session)
    some = rows[np.linspace(0, len(rows) - 1, min(LOOKED_AT, len(rows))).astype(int)]
    files = Pictures(session.records, session.train_transform, convert=session.recipe.convert_images)
    sizes = []
    for row in some:
        try:
            sizes.append(files.prepared(int(row)).nbytes)
        except FinegrainedError:
            continue
    return int(np.mean(sizes) * len(rows)) if sizes else 0
