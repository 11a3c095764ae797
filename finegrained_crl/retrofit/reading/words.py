"""What names tell: whether code evaluates or trains, and which role a loss plays.

Names are split into lower-case words (`loss_gender`, `lossGender` -> loss, gender). Nothing here looks at values.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

EVALUATION = {
    *("eval", "evaluate", "evaluation", "evaluating", "evaluator"),
    *("val", "valid", "validate", "validates", "validation"),
    *("validating", "validator", "test", "testing", "tester", "infer"),
    *("inference", "predict", "prediction", "predictor", "accuracy"),
}  # fmt: skip
TRAINING = {
    *(
        "train",
        "trains",
        "training",
        "trainer",
        "fit",
        "finetune",
        "finetuning",
        "learn",
        "learner",
        "optimize",
        "optimise",
    ),
}
EVALUATING_CLASSES = EVALUATION - {"predict", "prediction", "predictor", "accuracy", "infer", "inference"}
"""A `SpeciesPredictor` is a model like any other; an `Evaluator` is not."""
HELD_OUT = {
    "val",
    "valid",
    "validation",
    "eval",
    "evaluation",
    "test",
    "testing",
    "dev",
    "holdout",
}  # of a loss's own name
PHASE = frozenset(["phase", "mode", "split", "stage", "subset"])

# The order decides where several match: what is more specific comes first.
ROLES: dict[str, frozenset[str]] = {
    "distillation": frozenset(["distill", "distillation", "distil", "kd", "teacher"]),
    "contrastive": frozenset(["contrastive", "contrast", "nce", "infonce", "moco", "simclr"]),
    "swap": frozenset(["swap", "swapped", "jigsaw", "shuffle", "shuffled", "destroyed", "destruction"]),
    "rotation": frozenset(["rotation", "rotate", "rot"]),
    "domain": frozenset(["domain", "adversarial", "adv", "discriminator"]),
    "gender": frozenset(["gender", "sex"]),
    "age": frozenset(["age", "ages"]),
    "auxiliary": frozenset(["aux", "auxiliary", "side", "deep_supervision"]),
}
ALL_ROLES = (*ROLES, "class", "validation")
# Losses that only look like classification: their "classes" are teachers' scores or the batch's own images.
LEFT_ROLES = {
    "distillation": "its targets come from a teacher, not from labels",
    "contrastive": "its classes are the batch's own samples",
}


def words_of(*names: str) -> set[str]:
    """Split identifiers into lower-case words.

    >>> sorted(words_of("lossGender", "swap_out2"))
    ['gender', 'loss', 'out', 'swap']
    """
    return {word.lower() for name in names for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)}


def verdict_of(name: str) -> str:
    """Tell what a function's, class's or file's name says: "train", "eval" or ""."""
    words = words_of(name)
    evaluates, trains = bool(words & EVALUATION), bool(words & TRAINING)
    if evaluates == trains:
        return ""  # the words say nothing, or both
    return "eval" if evaluates else "train"


def role_of(names: Iterable[str]) -> str:
    """The role that the names around a loss suggest; "class" where none does.

    >>> role_of(["loss_gender", "pred_gender"]), role_of(["loss", "labels"])
    ('gender', 'class')
    """
    words = words_of(*names)
    return next((role for role, hints in ROLES.items() if words & hints), "class")
