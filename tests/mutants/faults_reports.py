"""Faults in reports: which pictures, which temperature, which pairs, which cell of which table."""

from faults import Source

R = "finegrained_crl/reports/"
STUDIES = "tests/meaning/test_studies_mean.py"

parts = Source(R + "parts.py", "tests/reports/test_parts.py", STUDIES, "tests/reports/test_study.py")
parts.fault("ignored option", "chosen = decoder or cast(", "chosen = cast(", named="the report ignores --decoder")
parts.fault("ignored option", 'results["protocol"].get("decoder", "argmax")', '"argmax"')
parts.fault("sign", "calibrated = logits / temperature", "calibrated = logits * temperature")
parts.fault("ignored option", "decoder, calibrated, age_truth(", "decoder, None, age_truth(")
parts.fault("ignored option", "decoder, calibrated, age_truth(", "None, calibrated, age_truth(")
parts.fault("swapped part", 'for part in ("test", "val"))', 'for part in ("val", "test"))')
parts.fault("ignored option", 'rows = frame[frame["weights"] == which]', 'rows = frame[frame["weights"] == "last"]')
parts.fault("dropped call", '.sort_values("id", ignore_index=True)', ".reset_index(drop=True)")
parts.fault("dropped call", "    if len(classes) > 1:\n", "    if False:\n")
parts.fault("swapped part", "(part.which, part.cell.variant)", '("", part.cell.variant)')
parts.fault("swapped part", "{part.cell.fold: part for part in group}", "{part.cell.seed: part for part in group}")
parts.fault(
    "index",
    "np.concatenate([part.scores.labels for part in group])[rows]",
    "np.concatenate([part.scores.labels for part in group])[: rows.sum()]",
)
parts.fault("swapped part", "[part.scores.predicted for part in group]", "[part.scores.labels for part in group]")

paired = Source(R + "paired.py", "tests/reports/test_paired.py", STUDIES, "tests/reports/test_study.py")
paired.fault("ignored option", "return dict.fromkeys(variants, asked)", "pass")
paired.fault(
    "ignored option",
    "alike[name] if alike[name] in variants else general for name",
    "general for name",
)
paired.fault("index", "else variants[0])", "else variants[-1])")
paired.fault("index", "(part.cell.fold, part.cell.seed): part for", "(part.cell.fold, 0): part for")

study = Source(
    R + "study.py",
    "tests/reports/test_study_report.py",
    "tests/crossval/test_consistency.py",
    "tests/reports/test_sheets.py",
    "tests/reports/test_study.py",
    STUDIES,
)
study.fault("ignored option", 'decoder if order["ordered"] else "argmax"', "None")
study.fault(
    "wrong reduction", "sum(len(part.frame) for part in one_seed(group))", "sum(len(part.frame) for part in group)"
)
study.fault("wrong reduction", 'table.groupby(axis)["value"].mean()', 'table.groupby(axis)["value"].first()')
study.fault("swapped part", 'axis = "fold" if table["fold"].nunique() > 1 else "seed"', 'axis = "seed"')
study.fault(
    "wrong reduction", 'table.groupby("fold")["value"].mean().tolist()', 'table.groupby("fold")["value"].max().tolist()'
)
study.fault("sign", 'collected.cells["state"] != "done"', 'collected.cells["state"] == "done"')
study.fault("ignored option", '"temperature": part.temperature}', '"temperature": 1.0}')
study.fault("dropped call", '    notes += [f"THE SPLIT LEAKS', '    _ = [f"THE SPLIT LEAKS')
study.fault("dropped call", '    notes += [f"CELLS DIFFER', '    _ = [f"CELLS DIFFER')

report = Source(R + "study_report.py", "tests/reports/test_study_report.py", "tests/reports/test_study.py", STUDIES)
report.fault("wrong reduction", "sum(sizes.values())", "max(sizes.values())")
report.fault("index", '"seeds": ", ".join(map(str, sorted({cell.seed', '"seeds": ", ".join(map(str, sorted({cell.fold')
report.fault("dropped call", "    if len(variants) == 1:\n", "    if True:\n")
report.fault("dropped call", "dict.fromkeys(str(value) for value in values)", "[str(value) for value in values][:1]")
report.fault("ignored option", "if comma and seed.isdigit() else validation", "if False else validation")
report.fault("wrong reduction", 'sum(results["data"]["dropped"].values())', 'len(results["data"]["dropped"])')
report.fault("dropped call", '    parts += [f"**{escaping.markdown(note)}**\\n" for note in figures.notes]\n', "")

NESTED = "tests/reports/test_nested.py"
sheets = Source(R + "sheets.py", "tests/reports/test_sheets.py", "tests/reports/test_study.py", STUDIES)
sheets.fault("sign", 'values[:, column] if figure.better == "higher" else -values[:, column]', "values[:, column]")
sheets.fault("wrong reduction", "numbers == numbers.max()", "numbers == numbers.min()")
sheets.fault("off-by-one", "{(int(row), column + 1) for row", "{(int(row), column) for row")
sheets.fault(
    "swapped part",
    "figure.show(row['mean'])} ± {figure.show(row['deviation'])",
    "figure.show(row['deviation'])} ± {figure.show(row['mean'])",
)
sheets.fault(
    "swapped part",
    "[{figure.show(row['low'])}, {figure.show(row['high'])}]",
    "[{figure.show(row['high'])}, {figure.show(row['low'])}]",
)
sheets.fault(
    "swapped part",
    "    if figures.ordered:\n        return ORDERED",
    "    if False:\n        return ORDERED",
)
sheets.fault("ignored option", 'figures.variants[figures.variants["weights"] == weights]', "figures.variants")
sheets.fault("ignored option", 'figures.differences[figures.differences["weights"] == weights]', "figures.differences")
sheets.fault("ignored option", 'figures.groups[figures.groups["weights"] == weights]', "figures.groups")
sheets.fault(
    "swapped part",
    "variant_title(row['variant'])} - {variant_title(row['baseline'])",
    "variant_title(row['baseline'])} - {variant_title(row['variant'])",
)
sheets.fault("ignored option", 'figure.show(row["difference"], signed=True)', 'figure.show(row["difference"])')
sheets.fault("dropped call", 'of_variant.sort_values("label")["recall"]', 'of_variant["recall"][::-1]')
sheets.fault("wrong reduction", 'f"{100 * recall:.1f}"', 'f"{recall:.1f}"')
sheets.fault("wrong reduction", "{100 * row['mean']:.2f}{deviation}", "{row['mean']:.2f}{deviation}")
sheets.fault("index", "sheets.insert(2, _published", "sheets.insert(0, _published")
sheets.fault(
    "swapped part",
    '{weights} weights", table, _chosen(figures, more))',
    '{weights} weights", table, _chosen(figures, main))',
)

breakdown = Source(R + "breakdown.py", "tests/reports/test_breakdown.py", "tests/reports/test_study.py", STUDIES)
breakdown.fault("index", "_counts(one_seed(group)).sum(1)", "_counts(one_seed(group)).sum(0)")
breakdown.fault("wrong reduction", "_counts(one_seed(group)).sum(1)", "_counts(group).sum(1)")
breakdown.fault(
    "swapped part", 'names[i],\n            "predicted_label": j', 'names[j],\n            "predicted_label": j'
)
breakdown.fault("index", "int(counts[i, j])", "int(counts[j, i])")
breakdown.fault(
    "swapped part",
    "group_counts(p.scores.predicted, p.scores.labels,",
    "group_counts(p.scores.labels, p.scores.predicted,",
)
breakdown.fault("wrong reduction", "round(rows.sum() / seeds)", "int(rows.sum())")
breakdown.fault("sign", "(values == value).to_numpy()", "(values != value).to_numpy()")
breakdown.fault("off-by-one", "column.nunique() > 8", "column.nunique() > 7")
breakdown.fault("off-by-one", "pd.qcut(column, 4,", "pd.qcut(column, 3,")
breakdown.fault("sign", 'column.notna() & (shown != "")', "column.notna()")

comparison = Source(R + "comparison.py", "tests/reports/test_comparison.py")
comparison.fault(
    "swapped part",
    '"selected_on_validation" if results["headline"] == "selected"',
    '"last" if results["headline"] == "selected"',
)
comparison.fault(
    "swapped part",
    'results["metrics"][which]["test"]',
    'results["metrics"][which].get("val", results["metrics"][which]["test"])',
)
comparison.fault("dropped call", "len(prints) > 1 or len(protocols) > 1", "len(prints) > 1")
comparison.fault("wrong reduction", 'sum(row["seconds"] for row in epochs)', 'max(row["seconds"] for row in epochs)')
comparison.fault("sign", 'if value != "" and key != "stage"', 'if key != "stage"')

curves = Source(
    R + "curves.py",
    "tests/reports/test_curves.py",
    "tests/reports/test_loss_figures.py",
    "tests/reports/test_comparison.py",
)
curves.fault("ignored option", '(row["epoch"], scale * row[column])', '(row["epoch"], row[column])')
curves.fault(
    "swapped part", '_draw(left, histories, "train_loss", 1.0)', '_draw(left, histories, "train_accuracy", 1.0)'
)
curves.fault(
    "wrong reduction", "if all(any(column in row for row in rows)", "if any(any(column in row for row in rows)"
)
curves.fault(
    "swapped part",
    '("val_top1", "validation accuracy"), ("test_top1", "test accuracy, watched")',
    '("test_top1", "test accuracy, watched"), ("val_top1", "validation accuracy")',
)
curves.fault("index", '[(row["epoch"], row[role])', '[(row["epoch"] - 1, row[role])')

tables = Source(
    R + "tables.py", "finegrained_crl/reports/tables.py", "tests/reports/test_tables.py", "tests/reports/test_study.py"
)
tables.fault("index", "for row, column in sheet.bold if row == i", "for column, row in sheet.bold if row == i")
tables.fault("dropped call", "list(map(escaping.markdown, sheet.columns))", "list(sheet.columns)")
tables.fault("dropped call", "[escape(cell) for cell in cells]", "[str(cell) for cell in cells]")
tables.fault("off-by-one", "'r' * (len(sheet.columns) - 1)", "'r' * len(sheet.columns)")

paired.fault("swapped part", "runs_of(firsts, figure, seconds)", "runs_of(seconds, figure, firsts)")
paired.fault("swapped part", "variant == baselines[variant] or not pairs", "not pairs")
paired.fault("ignored option", "rope / 100 if one.figure.percent else 0.0", "0.0")
paired.fault("off-by-one", "rope / 100 if one.figure.percent", "rope if one.figure.percent")
paired.fault("ignored option", 'one.figure.better == "lower" for one', "False for one")
paired.fault("ignored option", "lower, widths, held_out)", "lower, widths)")
paired.fault("swapped part", "(one.weights, one.figure.name == primary), []", "(one.weights, True), []")
paired.fault("swapped part", '"p": claim.p, "p_holm": claim.p_adjusted', '"p": claim.p, "p_holm": claim.p')
paired.fault(
    "swapped part",
    '"low": one.estimate.low, "high": one.estimate.high',
    '"low": one.estimate.high, "high": one.estimate.low',
)
paired.fault(
    "dropped call",
    "values = fold_means(values, [str(first.cell.fold) for first, _ in one.pairs])",
    "values = values[:]",
)
paired.fault("ignored option", 'lower_is_better=one.figure.better == "lower"', "lower_is_better=False")
paired.fault("ignored option", "one = estimate(runs, figure.statistic)", "one = estimate(runs)")

parts.fault(
    "swapped part",
    "make_run(part.cell.fold, part.clusters, table, other)",
    "make_run(part.cell.fold, part.clusters, table)",
)
parts.fault(
    "swapped part",
    "fit_temperature(validation.logits, validation.labels)",
    'fit_temperature(logits, test["label"].to_numpy())',
    named="the report's temperature from the test part",
)
parts.fault("wrong reduction", "np.sum(sums, axis=0))[0])", "np.max(sums, axis=0))[0])")

study.fault("ignored option", "find_baselines(list(variants), baseline)", "find_baselines(list(variants))")
study.fault("swapped part", '"mean": one.value,', '"mean": pooled_value(group, figure),')
study.fault("swapped part", '"pooled": pooled_value(group, figure)', '"pooled": one.value')
study.fault(
    "swapped part", '"low": one.low,\n            "high": one.high', '"low": one.high,\n            "high": one.low'
)
study.fault("ignored option", "figure.statistic, scale=figure.scale)", "figure.statistic)")
study.fault("swapped part", '"clusters": one.clusters', '"clusters": one.folds')
study.fault("ignored option", "primary=primary.name, rope=rope,", "primary=primary.name, rope=0.0,")
study.fault("index", 'size["test"] / (', 'size["val"] / (')

nested = Source(R + "nested.py", NESTED)
nested.fault("wrong reduction", "best = max(candidates.values()", "best = min(candidates.values()")
nested.fault(
    "swapped part",
    "value = _mean([part.validation for part in group], figure)",
    "value = _mean([part.scores for part in group], figure)",
)
nested.fault("dropped call", '", ".join(_at_the_edge(setting, list(candidates)))', '""')
nested.fault("off-by-one", "len(tried) > 2", "len(tried) > 1")
nested.fault("index", "value in (tried[0], tried[-1])", "value == tried[-1]")
nested.fault("index", "value in (tried[0], tried[-1])", "value == tried[0]")
nested.fault("sign", 'return -value if figure.better == "lower" else value', "return value")
nested.fault("wrong reduction", "most = max(map(len", "most = min(map(len")
nested.fault("index", "part.cell.fold)\n        table.setdefault", "0)\n        table.setdefault")
nested.fault("swapped part", '"test": tests[best[0].cell.variant]', '"test": max(tests.values())')

told = Source(R + "headline.py", "tests/reports/test_headline.py")
told.fault("swapped part", 'differences["figure"] == primary.name) &', 'differences["figure"] != "") &')
told.fault("ignored option", '& (differences["weights"] == weights)]', '& (differences["weights"] != "")]')
told.fault(
    "swapped part",
    'return f"{who} is better than {other} in {what}{by}"',
    'return f"{other} is better than {who} in {what}{by}"',
)
told.fault("swapped part", "row['p_holm']:.3f}", "row['low']:.3f}")
told.fault("off-by-one", "100 * row['runs_won']", "row['runs_won']")

pilot = Source(R + "pilot.py", "tests/reports/test_pilot.py")
pilot.fault(
    "swapped part",
    "[a for a, _ in pairs], measured, [b for _, b in pairs]",
    "[b for _, b in pairs], measured, [b for _, b in pairs]",
)
pilot.fault("ignored option", "find_baselines(variants, baseline)", "find_baselines(variants)")
pilot.fault("ignored option", "figure or primary_figure(**order).name", "primary_figure(**order).name")
pilot.fault("wrong reduction", "seeds = max(folds.count", "seeds = sum(folds.count")
pilot.fault("index", "Design(len(set(folds)), seeds, len(compared))", "Design(len(set(folds)), seeds, 1)")

sheets.fault("swapped part", "{figure.show(row['mean'])} [{", "{figure.show(row['pooled'])} [{")
sheets.fault("swapped part", '("p", "p_holm", "flip_p")', '("p", "p", "flip_p")')
sheets.fault("swapped part", '("validation", "test", "grid_test")', '("test", "test", "grid_test")', NESTED)
sheets.fault("swapped part", 'ends, row["verdict"], *tests', 'ends, "better", *tests')
sheets.fault("dropped call", "    if missing:\n        return", "    if False:\n        return")

PAGE, PAGE_TESTS = R + "page/", "tests/reports/page/test_page.py"
gallery = Source(PAGE + "gallery.py", PAGE_TESTS)
gallery.fault("sign", "right[good] & ~right[bad]", "right[bad] & ~right[good]")
gallery.fault("wrong reduction", "counts[rows] += 1", "counts[rows] = 1", "tests/reports/page/test_agreement.py")
gallery.fault("wrong reduction", "sums[rows] += softmax", "sums[rows] = softmax")
gallery.fault("ignored option", "        if anonymous:\n", "        if False:\n")
gallery.fault("dropped call", "((first, second), (second, first))", "((first, second), (first, second))")
score_charts = Source(PAGE + "score_charts.py", PAGE_TESTS)
score_charts.fault(
    "swapped part", "(part.scores.labels, part.scores.predicted), 1)", "(part.scores.predicted, part.scores.labels), 1)"
)
page = Source(PAGE + "context.py", PAGE_TESTS)
page.fault("ignored option", "Path(root) if root and not options.anonymous", "Path(root) if root and not False")
page.fault("index", "value = figures.primary.value(part.scores)", "value = figures.primary.value(group[0].scores)")
page.fault("dropped call", 'f"{missing} of {len(collected.cells)} cells are not finished" if missing else ""', '""')
thumbnails = Source(PAGE + "thumbnails.py", PAGE_TESTS)
thumbnails.fault("off-by-one", "self.left -= bool(self.encoded[path])", "self.left -= 0")
index = Source(R + "runs_index.py", "tests/reports/test_runs_index.py")
index.fault("sign", "-(entry.score if", "(entry.score if")
index.fault("ignored option", 'reverse=sort == "date"', "reverse=False")

near = Source(R + "page/near_copies.py", "tests/reports/page/test_near_copies.py")
near.fault("dropped call", "if sides[pair.first] != sides[pair.second]]", "]")
near.fault("sign", "(-pair.likeness, pair.first, pair.second)", "(pair.likeness, pair.first, pair.second)")
near.fault("ignored option", "len(table) > UNASKED and not asked", "len(table) > UNASKED")
near.fault("dropped call", "*equal_pairs(looked.digests), ", "")
near.fault("swapped part", '.where(table["fold"] != "", table["split"])', '.where(table["fold"] == "", table["split"])')

ledger = Source(R + "ledger.py", "tests/reports/test_ledger.py")
ledger.fault("sign", "inside = low <= entry.published <= high", "inside = not low <= entry.published <= high")
ledger.fault("dropped call", '100 - value if entry.metric == "error" else value', "value")
ledger.fault("dropped call", "    if reasons:\n", "    if False:\n")
ledger.fault("wrong reduction", "100 * float(value) for value in rows", "float(value) for value in rows")
ledger.fault("index", 'rows.groupby("seed")[primary.name].mean()', 'rows.groupby("fold")[primary.name].mean()')
ledger.fault(
    "sign", '"why": f"{mean - entry.published:+.2f} points"})', '"why": f"{entry.published - mean:+.2f} points"})'
)
ledger.fault("ignored option", "reasons = [*apart, *origin.departures]", "reasons = [*origin.departures]")
ledger.fault("ignored option", "reasons = [*apart, *origin.departures]", "reasons = [*apart]")
ledger.fault("dropped call", " if entry.part == origin.part]", "]")
ledger.fault("off-by-one", '["data"]["train"] + result["data"]["val"]', '["data"]["train"]')

reproduction = Source(R + "reproduction.py", "tests/reports/test_ledger.py")
reproduction.fault("off-by-one", "        if len(values) > 1:\n", "        if len(values) > 2:\n")
reproduction.fault("dropped call", " and entry.runs:", ":")
reproduction.fault("dropped call", 'str(row["metric"]))\n', '"")\n')

remarks = Source(R + "page/context.py", "tests/reports/page/test_page.py")
remarks.fault("index", "for sitting in sittings.read(folder)[-1:]]", "for sitting in sittings.read(folder)[:1]]")
remarks.fault("wrong reduction", 'f"{np.median(measured):,.0f}"', 'f"{np.max(measured):,.0f}"')
remarks.fault(
    "dropped call",
    "sorted(studies) for one in sittings.read(study)] or of_cells",
    "sorted(studies) for one in []] or of_cells",
)

subgroups = Source(R + "breakdown.py", "tests/cli/test_every_flag.py")
subgroups.fault("ignored option", '.get("subgroups", []), *asked]', '.get("subgroups", [])]')

P = "tests/reports/page/"
error_curves = Source(R + "page/error_curves.py", P + "test_error_curves.py")
error_curves.fault("off-by-one", "center=True", "center=False")
error_curves.fault("swapped part", "smooth.max(axis=1)", "smooth.mean(axis=1)")

grid_map = Source(R + "page/grid_map.py", P + "test_grid_map.py")
grid_map.fault("swapped part", 'of_grid.sort_values("mean"', 'table.sort_values("mean"')
grid_map.fault("index", "sort_index(ascending=False)", "sort_index(ascending=True)")

agreement = Source(R + "page/agreement.py", P + "test_agreement.py")
agreement.fault("swapped part", "right[1] & ~right[0]", "right[0] & ~right[1]")
agreement.fault("index", "[0 if is_true else 4]", "[4 if is_true else 0]")

SCORE_CHARTS, STUDY_CHARTS = P + "test_score_charts.py", P + "test_study_charts.py"
worth = Source(R + "page/score_charts.py", SCORE_CHARTS)
worth.fault("sign", "gap = shares[0] - shares[1]", "gap = shares[1] - shares[0]")
worth.fault("sign", "100 * (confidence.mean() - right.mean())", "100 * (right.mean() - confidence.mean())")
worth.fault("sign", 'order = np.argsort(-confidence, kind="stable")', 'order = np.argsort(confidence, kind="stable")')
worth.fault("wrong reduction", "np.bincount(off) / len(off)", "np.bincount(off) / len(group)")
worth.fault("off-by-one", "shares[:2].sum()", "shares[:1].sum()")
worth.fault("ignored option", "part.scores.calibrated if calibrated else part.scores.logits", "part.scores.logits")
worth.fault("index", 'sort_values("recall", kind="stable").iloc[0]', 'sort_values("recall", kind="stable").iloc[-1]')
worth.fault(
    "off-by-one", "(confidence * BINS).astype(int), BINS - 1)", "(confidence * BINS).astype(int) + 1, BINS - 1)"
)

apart = Source(R + "page/study_charts.py", STUDY_CHARTS)
apart.fault("swapped part", '{"better": "^", "worse": "v",', '{"better": "v", "worse": "^",')
apart.fault("sign", 'idxmax() if figure.better == "higher" else', 'idxmax() if figure.better == "lower" else')
apart.fault("wrong reduction", "middle = runs.median(axis=1)", "middle = runs.mean(axis=1)")
apart.fault("ignored option", "axes.axvspan(-rope, rope,", "axes.axvspan(-1, 1,")
apart.fault("swapped part", 'for key in ("difference", "low", "high"))', 'for key in ("difference", "high", "low"))')
apart.fault("ignored option", ' & (differences["weights"] == weights)]', "]")
apart.fault("wrong reduction", 'values="value", aggfunc="mean"', 'values="value", aggfunc="max"')
apart.fault("wrong reduction", "scale = 100 if figure.percent else 1\n    names", "scale = 1\n    names")

planner = Source(R + "power_curves.py", "tests/reports/test_power_curves.py")
planner.fault("sign", "sources.times(people=0.25)", "sources.times(people=4.0)")
planner.fault("swapped part", "(in_folds(sources, design.folds, twice.folds), twice)", "(sources, twice)")
planner.fault("ignored option", "size._replace(seeds=n), wanted=wanted)", "size._replace(seeds=n))")
