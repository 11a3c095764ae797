"""Faults in the figures: what each picture adds, how it is summed, how sure it is."""

from faults import Source

M = "finegrained_crl/metrics/"
MEANS = "tests/meaning/test_training_means.py"
STUDIES = "tests/meaning/test_studies_mean.py"

decision = Source(M + "decision.py", "tests/metrics/test_decision.py", MEANS)
decision.fault("index", "scores.argmax(axis=1)", "scores.argmin(axis=1)")
decision.fault("index", "scores.argmax(axis=1)", "(scores.shape[1] - 1 - scores[:, ::-1].argmax(axis=1))")
decision.fault("dropped call", "decode(softmax(scores), decoder)", "decode(scores, decoder)")
decision.fault("ignored option", "decode(softmax(scores), decoder)", 'decode(softmax(scores), "median")')
decision.fault("sign", "np.argsort(-np.asarray(", "np.argsort(np.asarray(")
decision.fault(
    "ignored option",
    'axis=1, kind="stable")',
    "axis=1)[:, ::1]",
    why_equivalent="numpy sorts rows of a few classes by insertion, which is stable as it is",
)
decision.fault("index", "logits, dtype=np.float64), axis=1", "logits, dtype=np.float64), axis=0")

classification = Source(
    M + "classification.py", "tests/metrics/test_classification.py", "finegrained_crl/metrics/classification.py"
)
classification.fault(
    "wrong reduction", "np.mean(scores.argmax(axis=1) == truth)", "np.max(scores.argmax(axis=1) == truth)"
)
classification.fault("index", "np.mean(scores.argmax(axis=1) == truth)", "np.mean(scores.argmin(axis=1) == truth)")
classification.fault("off-by-one", "[:, :k]\n", "[:, : k + 1]\n")
classification.fault("sign", "np.argsort(-scores, axis=1", "np.argsort(scores, axis=1")
classification.fault("wrong reduction", "(best == truth[:, None]).any(axis=1)", "(best == truth[:, None]).all(axis=1)")
classification.fault("index", "per_class = counts.sum(axis=1)", "per_class = counts.sum(axis=0)")
classification.fault("off-by-one", "present = per_class > 0", "present = per_class > 1")
classification.fault(
    "wrong reduction", "np.mean(counts.diagonal()[present] / per_class[present])", "counts.trace() / counts.sum()"
)
classification.fault(
    "swapped part", "truth * num_classes + scores.argmax(axis=1)", "scores.argmax(axis=1) * num_classes + truth"
)
classification.fault("off-by-one", "truth.max() >= table.shape[1]", "truth.max() > table.shape[1]")
classification.fault("sign", "truth.min() < 0 or", "")
classification.fault("off-by-one", "if k < 1:", "if k < 0:")

calibration = Source(
    M + "calibration.py", "tests/metrics/test_calibration.py", "finegrained_crl/metrics/calibration.py", MEANS
)
calibration.fault("ignored option", "labels), num_bins).sum(0)", "labels)).sum(0)")
calibration.fault(
    "wrong reduction",
    "labels), num_bins).sum(0)",
    "labels), num_bins).mean(0)[..., :] * 1.0",
    why_equivalent="the statistic divides by the column of ones: sums and means give the same",
)
calibration.fault("sign", "float(-np.log(table", "float(np.log(table")
calibration.fault("wrong reduction", "labels)).mean())\n\n\ndef nll_terms", "labels)).sum())\n\n\ndef nll_terms")
calibration.fault("sign", "np.asarray(-log_softmax(logits)", "np.asarray(log_softmax(logits)")
calibration.fault("sign", "- 2 * of_label + 1", "- 2 * of_label - 1")
calibration.fault("wrong reduction", "(probabilities**2).sum(axis=1)", "(probabilities**2).mean(axis=1)")
calibration.fault("index", "confidence = probabilities.max(axis=1)", "confidence = probabilities[:, 0]")
calibration.fault(
    "index", "is_right = probabilities.argmax(axis=1) == labels", "is_right = probabilities.argmin(axis=1) == labels"
)
calibration.fault("off-by-one", ".astype(np.int64) - 1, 0, num_bins - 1)", ".astype(np.int64), 0, num_bins - 1)")
calibration.fault("off-by-one", "np.ceil(confidence * num_bins)", "np.floor(confidence * num_bins)")
calibration.fault("sign", "= confidence - is_right", "= confidence + is_right")
calibration.fault("dropped call", "np.abs(totals[..., :-1]).sum(axis=-1)", "totals[..., :-1].sum(axis=-1)")
calibration.fault("wrong reduction", "np.abs(totals[..., :-1]).sum(axis=-1)", "np.abs(totals[..., :-1].sum(axis=-1))")
calibration.fault("wrong reduction", "np.abs(totals[..., :-1]).sum(axis=-1)", "np.abs(totals[..., :-1]).max(axis=-1)")
calibration.fault("sign", "float(np.exp(middle))) > 0", "float(np.exp(middle))) < 0")
calibration.fault("sign", "float(np.exp(-(low + high) / 2))", "float(np.exp((low + high) / 2))")
calibration.fault("swapped part", "np.log(1 / HOTTEST), np.log(1 / COLDEST)", "np.log(COLDEST), np.log(1.0)")
calibration.fault(
    "sign",
    "(expected - logits[np.arange(len(labels)), labels]).mean()",
    "(expected + logits[np.arange(len(labels)), labels]).mean()",
)
calibration.fault("dropped call", "    shifted = shifted - shifted.max(axis=-1, keepdims=True)\n", "")
calibration.fault("index", "np.exp(shifted).sum(axis=-1, keepdims=True)", "np.exp(shifted).sum(axis=0, keepdims=True)")
calibration.fault("dropped call", "np.exp(log_softmax(logits))", "log_softmax(logits)")
calibration.fault("dropped call", "    if not np.isfinite(table).all():", "    if False:")
calibration.fault("wrong reduction", "(table >= 0).all() and np.allclose", "np.allclose")
calibration.fault("off-by-one", "num_bins: int = 15) -> NDArray", "num_bins: int = 10) -> NDArray", MEANS)

ordinal = Source(M + "ordinal.py", "finegrained_crl/metrics/ordinal.py", "tests/metrics/test_ordinal.py")
ordinal.fault("off-by-one", "cumulative[:, -1:] / 2 - 1e-12", "cumulative[:, -1:] / 2 + 1e-3")
ordinal.fault("index", "- 1e-12).argmax(axis=1)", "- 1e-12).argmin(axis=1)")
ordinal.fault("index", "cumulative[:, -1:] / 2", "cumulative[:, :1] / 2")
ordinal.fault("off-by-one", "table.sum(axis=1) + 0.5)", "table.sum(axis=1) + 0.4)")
ordinal.fault("swapped part", "np.floor(table @", "np.ceil(table @")
ordinal.fault("dropped call", " / table.sum(axis=1) + 0.5", " + 0.5")
ordinal.fault("swapped part", "truth * num_groups + guess", "guess * num_groups + truth")
ordinal.fault("off-by-one", "labels, num_groups, k=1)", "labels, num_groups, k=2)")
ordinal.fault("off-by-one", "num_groups)) <= k)", "num_groups)) < k)")
ordinal.fault("dropped call", "np.asarray(np.abs(predicted - labels)", "np.asarray((predicted - labels)")
ordinal.fault("sign", "np.abs(predicted - labels)", "np.abs(predicted + labels)")
ordinal.fault(
    "swapped part",
    "by_class(distance(guess, truth), truth, num_groups)",
    "by_class(distance(guess, truth), guess, num_groups)",
)
ordinal.fault("wrong reduction", "np.stack([(y - p) ** 2, y,", "np.stack([abs(y - p), y,")
ordinal.fault("swapped part", "y**2, p, p**2, np.ones_like(y)", "y**2, y, p**2, np.ones_like(y)")
ordinal.fault("sign", "n * yy + n * pp - 2 * y * p", "n * yy + n * pp + 2 * y * p")
ordinal.fault("wrong reduction", "observed * n, by_chance", "observed, by_chance")
ordinal.fault("sign", "np.asarray(1 - np.divide(", "np.asarray(1 + np.divide(")
ordinal.fault(
    "index",
    "table.sum(-1)\n    return np.asarray(np.divide(hits",
    "table.sum(-2)\n    return np.asarray(np.divide(hits",
)
ordinal.fault("off-by-one", "values.max() >= num_groups", "values.max() > num_groups")

totals = Source(M + "totals.py", "tests/metrics/test_totals.py", "tests/statistics/test_runs.py", MEANS)
totals.fault("index", "totals[..., 0] / totals[..., 1]", "totals[..., 1] / totals[..., 0]")
totals.fault("swapped part", "[labels, labels + num_classes]", "[labels + num_classes, labels]")
totals.fault(
    "wrong reduction", "means.sum(-1) / np.where(present > 0, present, np.nan)", "sums.sum(-1) / counts.sum(-1)"
)
totals.fault("wrong reduction", "means.sum(-1) / np.where(present > 0, present, np.nan)", "means.mean(-1)")
totals.fault(
    "wrong reduction",
    "totals.sum(axis=0)",
    "totals.mean(axis=0)",
    why_equivalent="every figure is a quotient of sums: a common factor falls out (kappa is of degree 0 too)",
)
totals.fault("index", "(index, np.arange(len(index)))", "(np.sort(index), np.arange(len(index)))")
totals.fault("off-by-one", "present = (counts > 0).sum(-1)", "present = (counts > 1).sum(-1)")

catalogue = Source(M + "catalogue.py", "tests/metrics/test_catalogue.py", MEANS, STUDIES)
catalogue.fault(
    "swapped part", 'find_figure("exact_accuracy" if ordered else', 'find_figure("top1_accuracy" if ordered else'
)
catalogue.fault("ignored option", "choose(table, how)", 'choose(table, "argmax")')
catalogue.fault(
    "swapped part",
    "_hits(choose(scores.logits), scores))\n\n\ndef _top5",
    "_hits(scores.predicted, scores))\n\n\ndef _top5",
)
catalogue.fault("off-by-one", "ranking(scores.logits)[:, :5]", "ranking(scores.logits)[:, :4]")
catalogue.fault("sign", "ranking(scores.logits)[:, :5]", "ranking(scores.logits)[:, -5:]")
catalogue.fault(
    "swapped part", "with_count(_hits(scores.predicted, scores))", "with_count(_hits(choose(scores.logits), scores))"
)
catalogue.fault("off-by-one", "scores.labels) <= groups)", "scores.labels) < groups)")
catalogue.fault("swapped part", '"lower", True, _distance, ratio', '"lower", True, _class_distance, mean_over_classes')
catalogue.fault("swapped part", '"higher", False, _class_hits, mean_over_classes', '"higher", False, _top1, ratio')
catalogue.fault(
    "dropped call",
    "calibration.ece_terms(calibration.softmax(scores.calibrated)",
    "calibration.ece_terms(calibration.softmax(scores.logits)",
)
catalogue.fault("off-by-one", "_within(1), ratio", "_within(2), ratio")
catalogue.fault("off-by-one", "_within(2), ratio", "_within(3), ratio")
catalogue.fault("off-by-one", "num_classes >= figure.min_classes", "num_classes > figure.min_classes")
catalogue.fault("sign", "(ordered or not figure.ordered)", "(ordered or figure.ordered)")
catalogue.fault("sign", 'Figure("nll", "NLL", False, "lower"', 'Figure("nll", "NLL", False, "higher"')
catalogue.fault("sign", '"MAE (groups)", False, "lower"', '"MAE (groups)", False, "higher"')
catalogue.fault("wrong reduction", "{100 * value:{sign}.2f}", "{value:{sign}.2f}")
catalogue.fault("off-by-one", "{100 * value:{sign}.2f}", "{100 * value:{sign}.1f}")
catalogue.fault("ignored option", 'sign = "+" if signed else ""', 'sign = ""')
catalogue.fault("sign", '"MAE (groups)", False,', '"MAE (groups)", True,')
catalogue.fault("dropped call", "None if np.isnan(value) else value", "value")
catalogue.fault("off-by-one", '"num_images": len(scores.labels)', '"num_images": scores.num_classes')
catalogue.fault(
    "swapped part",
    '"lower", True, _distance, ratio, scale="positive", unit="groups"',
    '"lower", True, _class_distance, mean_over_classes, scale="positive", unit="groups"',
    named="MAE is the macro MAE",
)

selective = Source(M + "selective.py", "tests/metrics/test_selective.py")
selective.fault("dropped call", "(1 - LEVEL) / steps", "(1 - LEVEL) * steps")
selective.fault("sign", "if threshold.bound <= risk:", "if threshold.error <= risk:")
selective.fault("sign", 'side="left"', 'side="right"')
selective.fault("off-by-one", "errors + 1, n - errors", "errors, n - errors + 1")

ages = Source(M + "ages.py", "tests/metrics/test_ages.py", "finegrained_crl/metrics/ages.py")
ages.fault("off-by-one", "np.arange(self.low, self.high + 1", "np.arange(self.low + 1, self.high + 2")
ages.fault("sign", "np.floor(column) > last", "np.floor(column) >= last")
ages.fault("ignored option", 'if decoder == "mean":', "if True:")
ages.fault("dropped call", "answers.errors <= years + 1e-9", "answers.errors < years")
ages.fault("dropped call", "is_known.astype(np.float64)], axis", "np.ones(len(is_known))], axis")
ages.fault("wrong reduction", "** 2) / 2)", "** 2))")
ages.fault("off-by-one", "is_counted & (steps <= apart)", "is_counted & (steps < apart)")
ages.fault("dropped call", "is_counted = distances.min(axis=1) == 0", "is_counted = distances.min(axis=1) >= 0")
ages.fault("ignored option", 'rows["age"] if "age" in rows else', "")
ages.fault("index", "self.said[rows])", "self.said)")

intervals = Source(M + "age_intervals.py", "tests/metrics/test_age_intervals.py", M + "age_intervals.py")
intervals.fault("off-by-one", "level * (count + 1)", "level * count")
intervals.fault("dropped call", "1.0 / counts[place][order]", "1.0 / counts[place]")
intervals.fault("wrong reduction", "np.cumsum(1.0 / counts[place][order])", "np.arange(1, len(order) + 1)")
intervals.fault("sign", "np.clip(said - self.radius", "np.clip(said + self.radius")
intervals.fault("index", "reaches[0]]) if", "reaches[-1]]) if")
