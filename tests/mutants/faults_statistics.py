"""Faults in what a study may claim: intervals, tests, verdicts, plans."""

from faults import Source

S, T = "finegrained_crl/statistics/", "tests/statistics/"

spread = Source(S + "spread.py", T + "test_spread.py")
spread.fault("off-by-one", "numbers.std(ddof=1)", "numbers.std(ddof=0)")
spread.fault("wrong reduction", "Spread(float(numbers.mean())", "Spread(float(np.median(numbers))")

runs = Source(S + "runs.py", T + "test_runs.py")
runs.fault(
    "sign",
    "own - float(statistic(summed(self.baseline))[0])",
    "own + float(statistic(summed(self.baseline))[0])",
)
runs.fault(
    "swapped part", "own - _without_each(self.baseline, statistic)", "own - _without_each(self.totals, statistic)"
)
runs.fault("sign", "whole - totals)", "totals)")
runs.fault("swapped part", "cluster_totals(baseline, names)", "cluster_totals(totals, names)")
runs.fault("dropped call", "whole - block) for block", "whole) for block")
runs.fault("off-by-one", "table[start : start + rows]", "table[start : start + rows - 1]")

uncertainty = Source(S + "uncertainty.py", T + "test_uncertainty.py")
uncertainty.fault("off-by-one", "tail = (1 + level) / 2", "tail = level")
uncertainty.fault("swapped part", "part.variance * stdtrit(part.df, tail) for", "stdtrit(part.df, tail) for")
uncertainty.fault("wrong reduction", "float(reach / self.variance)", "float(reach)")
uncertainty.fault("off-by-one", "return 2 * self.above(abs(distance))", "return self.above(abs(distance))")
uncertainty.fault("sign", "stdtr(self.components[0].df, -ratio)", "stdtr(self.components[0].df, ratio)")
uncertainty.fault("off-by-one", "return float((1 - level) / 2)", "return float(1 - level)")
uncertainty.fault("sign", "return 1 - self.above(-distance)", "return self.above(-distance)")
uncertainty.fault("dropped call", "ratio = distance / self.error", "ratio = distance")
uncertainty.fault("swapped part", "variance=part.variance * factor)", "variance=part.variance)")
uncertainty.fault("off-by-one", "* (clusters - 1) / clusters", "* clusters / clusters")
uncertainty.fault("wrong reduction", "/ np.maximum(defined, 1)", "/ clusters")
uncertainty.fault("wrong reduction", "numbers.sum() ** 2 / (numbers**2).sum()", "float(len(numbers))")
uncertainty.fault("dropped call", "np.sqrt(self.variance)", "self.variance")

estimate = Source(S + "estimate.py", T + "test_estimate.py")
estimate.fault("wrong reduction", "value = float(means.mean())", "value = float(values.mean())")
estimate.fault(
    "ignored option",
    "interval_ends(value, uncertainty, scale, level)",
    'interval_ends(value, uncertainty, "plain", level)',
)
estimate.fault(
    "ignored option",
    "interval_ends(value, uncertainty, scale, level)",
    "interval_ends(value, uncertainty, scale, 0.95)",
)
estimate.fault("wrong reduction", "seeds=min(folds.count", "seeds=max(folds.count")
estimate.fault("wrong reduction", "values[names == fold].mean()", "values[names == fold].max()")
estimate.fault("off-by-one", "means.var(ddof=1)) / len(means)", "means.var(ddof=0)) / len(means)")
estimate.fault("dropped call", "float(means.var(ddof=1)) / len(means)", "float(means.var(ddof=1))")
estimate.fault("off-by-one", "/ len(means), len(means) - 1)", "/ len(means), len(means))")
estimate.fault("swapped part", "if len(means) > 1:\n        return", "if len(means) > 99:\n        return")
estimate.fault("wrong reduction", "jackknife_variance(replicates.mean(axis=0))", "jackknife_variance(replicates[0])")
estimate.fault("off-by-one", "effective_number(_largest_sizes(runs)) - 1)", "effective_number(_largest_sizes(runs)))")
estimate.fault(
    "off-by-one",
    "float(values.var(ddof=1)) / len(runs), len(runs) - 1)",
    "float(values.var(ddof=1)) / len(runs), len(runs))",
)
estimate.fault("dropped call", "float(values.var(ddof=1)) / len(runs)", "float(values.var(ddof=1))")
estimate.fault("sign", "max(0.0, people - interaction)", "max(0.0, people + interaction)")
estimate.fault("off-by-one", "/ (len(runs) * (len(runs) - 1))", "/ (len(runs) * len(runs))")
estimate.fault("dropped call", "contrasts = replicates - replicates.mean(axis=0)", "contrasts = replicates")
estimate.fault("sign", "for sign in (-1, 1))", "for sign in (1, -1))")
estimate.fault("swapped part", "1 / (value * (1 - value))", "1 / value")
estimate.fault("sign", "value * np.exp(-reach / value)", "value * np.exp(reach / value)")
estimate.fault("dropped call", "uncertainty.quantile(level) * uncertainty.error", "uncertainty.error")
estimate.fault("index", "row[np.searchsorted(names, run.clusters)]", "row[np.arange(len(run.clusters))]")
estimate.fault("dropped call", '        words.append("one seed', '        ("one seed')

claims = Source(S + "claims.py", T + "test_claims.py")
claims.fault("sign", "improvement = -one.value if lower_is_better[i] else one.value", "improvement = one.value")
claims.fault("off-by-one", "1 + one.folds * share / (1 - share)", "1 + share / (1 - share)")
claims.fault("ignored option", "share = 1 / one.folds if held_out is None else held_out", "share = 1 / one.folds")
claims.fault("off-by-one", "one.seeds < FEWEST", "one.seeds < FEWEST - 1")
claims.fault("off-by-one", "1 < one.folds < FEWEST", "1 < one.folds < FEWEST - 1")
claims.fault("dropped call", "    if one.not_in_it:\n        return one.not_in_it[0]\n", "")
claims.fault(
    "dropped call",
    "beyond_adjusted, inside_adjusted = _holm_of_known(beyond), _holm_of_known(inside)",
    "beyond_adjusted, inside_adjusted = beyond, inside",
)
claims.fault(
    "swapped part",
    "_verdict(improvement, beyond_adjusted[i], inside_adjusted[i])",
    "_verdict(improvement, beyond[i], inside_adjusted[i])",
)
claims.fault("sign", "outside = abs(value) - rope", "outside = abs(value) + rope")
claims.fault("sign", "margin = rope - abs(value)", "margin = rope + abs(value)")
claims.fault(
    "swapped part", 'return "better" if improvement > 0 else "worse"', 'return "worse" if improvement > 0 else "better"'
)
claims.fault(
    "swapped part",
    "spread.above(improvement + rope), spread.above(rope - improvement)",
    "spread.above(rope - improvement), spread.above(improvement + rope)",
)
claims.fault("ignored option", "spread.above(improvement + rope)", "spread.above(improvement)")
claims.fault("off-by-one", "0.5 * (gaps == 0)", "1.0 * (gaps == 0)")
claims.fault("sign", "sign, names = -1 if lower_is_better else 1", "sign, names = 1 if lower_is_better else 1")
claims.fault("wrong reduction", "gaps > 0) +", "gaps >= 0) +")
claims.fault("index", "ours[names == fold], others[names == fold]", "ours, others")
claims.fault(
    "dropped call",
    "corrected = [overlap_corrected(one, held_out) for one in estimates]",
    "corrected = [one.uncertainty for one in estimates]",
)
claims.fault("off-by-one", "LEVEL = 0.05", "LEVEL = 0.1")

flips = Source(S + "flips.py", T + "test_flips.py")
flips.fault("dropped call", "abs(values.sum()) - 1e-9", "values.sum() - 1e-9")
flips.fault("off-by-one", "(1 + (np.abs(signs", "(0 + (np.abs(signs")
flips.fault("wrong reduction", "2 * above.sum()", "above.sum()")
flips.fault(
    "off-by-one",
    'side="left"',
    'side="right"',
    why_equivalent="the limit is lowered by a rounding error's width: no sum lies on it",
)
flips.fault("off-by-one", "np.arange(len(values), 0, -1)", "np.arange(len(values), 0, -1) - 1")
flips.fault("dropped call", "np.maximum.accumulate(values[order]", "(values[order]")
flips.fault("index", "np.minimum(adjusted, 1.0)[np.argsort(order)]", "np.minimum(adjusted, 1.0)[order]")
flips.fault("ignored option", "MOST_EXACT = 40", "MOST_EXACT = 4")
flips.fault("off-by-one", "smallest = 2.0 ** (1 - values.size)", "smallest = 2.0 ** (0 - values.size)")

power = Source(S + "power.py", T + "test_power.py")
power.fault("off-by-one", "values[places].var(ddof=1)", "values[places].var(ddof=0)")
power.fault("sign", "between - people - training * seeds", "between - people + training * seeds")
power.fault("dropped call", "between - people - training", "between - training")
power.fault("wrong reduction", "np.mean([1 / len(places) for", "np.mean([len(places) for")
power.fault(
    "off-by-one",
    "(sources.folds + sources.people + sources.runs / design.seeds) / folds)",
    "(sources.folds + sources.people + sources.runs / design.seeds))",
)
power.fault(
    "dropped call", "sources.people + sources.runs / design.seeds) / folds)", "sources.people + sources.runs) / folds)"
)
power.fault("off-by-one", "np.sqrt(1 + 1 / (1 - 1 / folds))", "np.sqrt(1 + 1 / folds)")
power.fault(
    "ignored option", "stdtrit(folds - 1, 1 - LEVEL / design.comparisons / 2)", "stdtrit(folds - 1, 1 - LEVEL / 2)"
)
power.fault("off-by-one", "tail = 1 - LEVEL / design.comparisons / 2", "tail = 1 - LEVEL / design.comparisons")
power.fault("dropped call", "seen = training * random.chisquare(df, DRAWS) / df", "seen = training")
power.fault(
    "swapped part",
    "low, high = (low, middle) if enough else (middle + 1, high)",
    "low, high = (low, middle) if enough else (middle, high - 1)",
)
power.fault(
    "swapped part",
    "low, high = (low, middle) if function(middle) >= wanted else (middle, high)",
    "low, high = (low, middle) if function(middle) < wanted else (middle, high)",
)
power.fault("off-by-one", "2 * run**2 + disagree", "run**2 + disagree")
power.fault("ignored option", "fold**2 if folds > 1 else 0.0", "fold**2")
power.fault("sign", "runs=others / folds)", "runs=folds / others)")
power.fault("sign", "sources.times(people=1 / factor)", "sources.times(people=factor)")
