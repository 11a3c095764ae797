"""What a study will be able to show, said before it starts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from finegrained_crl.cli.power import ASSUMPTIONS
from finegrained_crl.crossval.collect import collect
from finegrained_crl.crossval.plan import base_name
from finegrained_crl.crossval.study import Study, StudyFolder
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.reports.paired import find_baselines
from finegrained_crl.reports.pilot import read_pilot
from finegrained_crl.statistics.power import Design, assumed, smallest_difference

if TYPE_CHECKING:
    from finegrained_crl.data.records import Records
    from finegrained_crl.metrics.catalogue import Figure


class Foresight(NamedTuple):
    """The smallest difference that a study finds in 80 % of cases.

    Attributes:
        smallest: as a share, or in the figure's unit; None for a design that can claim nothing.
        text: one line.
    """

    smallest: float | None
    text: str


def foresee(folder: StudyFolder, study: Study, people: int) -> Foresight | None:
    """What the study can show, by its own finished cells where there are pairs, else by assumptions.

    Args:
        folder: of the study, begun or not.
        study: its plan.
        people: clusters held out over all folds.
    Returns:
        None where nothing is compared.
    """
    baselines = find_baselines(list(dict.fromkeys(base_name(name, study.select) for name in study.variants)))
    comparisons = sum(name != of for name, of in baselines.items())
    if not comparisons:
        return None
    design = Design(len(study.folds), len(study.seeds), comparisons)
    if folder.exists:
        try:
            pilot = read_pilot(collect(folder.folder, accept_differences=True))
        except FinegrainedError:
            pilot = None  # no pair is finished yet
        if pilot and pilot.seeds_differ and pilot.design.folds == design.folds:
            smallest = smallest_difference(pilot.sources, design)
            return _said(smallest, pilot.figure, "as its finished cells vary")
    shares = {name: ASSUMPTIONS[name] / 100 for name in ("run", "fold", "taste", "disagree")}
    smallest = smallest_difference(assumed(**shares, people=people, folds=design.folds), design)
    return _said(smallest, None, "assumed: see fgcrl power --assume")


def count_people(records: Records, rows: np.ndarray) -> int:
    """Subjects among some rows of the records; a picture whose subject is unknown counts for itself."""
    subjects = records.table.loc[rows, "subject"]
    return int(subjects.nunique() + subjects.isna().sum())


def _said(smallest: float, figure: Figure | None, how: str) -> Foresight:
    """In words; of accuracy, where no figure was measured."""
    if not math.isfinite(smallest):
        return Foresight(
            None, "this study can claim no difference: that takes three seeds of one split, or three folds"
        )
    if figure is None or figure.percent:
        what = "accuracy" if figure is None else figure.title.removesuffix(" %")
        points = f"{100 * smallest:.1f} points of {what}"
    else:
        points = f"{smallest:.2g} in {figure.title}"
    return Foresight(smallest, f"it can show differences from about {points} on (80 % power, {how})")
