"""What a number of a run means, in plain values for results.json."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from finegrained_crl.training.session import Session


def describe_protocol(session: Session) -> dict[str, Any]:
    """What a number of this run means: which split, which label policy, which denominator, which views."""
    r = session.recipe
    return {
        "text": session.records.protocol,
        "evaluated_on": f"fold {r.fold}" if r.fold is not None else r.split or "test",
        "policy": session.records.policy,
        "denominator": len(session.parts.test),
        "validation": _validation_text(session),
        "views": r.views,
        "image_size": r.image_size,
        "decoder": session.scorer.decoder,
        "resize": r.resize,
        "eval_resize_ratio": r.eval_resize_ratio,
        "weights_evaluated": "exponential moving average" if r.ema else "trained",
        "missing_images": r.missing,
        "allow_leaks": r.allow_leaks,
        "leaks": session.leaks,
    }


def _validation_text(session: Session) -> str:
    r = session.recipe
    if not len(session.parts.val):
        return "none"
    if not r.val_fraction:
        return "the data set's own"
    has_subjects = session.records.table["subject"].notna().all()
    how = "subject-exclusive" if has_subjects else "stratified"
    return f"{r.val_fraction} of train, {how}, seed {r.seed}"
