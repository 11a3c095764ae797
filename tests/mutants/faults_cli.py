"""Faults on the way from a command line to a run and from figures to what is printed."""

from faults import Source

K = "finegrained_crl/cli/"
PREDICTIONS = "tests/meaning/test_predictions_mean.py"
WORK = "tests/cli/test_predict_at_work.py"
STUDIES = "tests/meaning/test_studies_mean.py"

FLAGS = "tests/cli/test_every_flag.py"
ACCEPTED = "tests/cli/test_integrity.py::test_changed_data_can_be_accepted_and_is_written_down"

show = Source(K + "show.py", "tests/cli/test_show.py", "tests/cli/test_finetune.py")
show.fault("swapped part", 'f"{part}, {WEIGHTS[which]}"', 'f"{WEIGHTS[which]}"')
show.fault(
    "swapped part",
    'WEIGHTS = {"last": "last weights", "selected_on_validation": "weights selected on validation"}',
    'WEIGHTS = {"selected_on_validation": "last weights", "last": "weights selected on validation"}',
)
show.fault(
    "dropped call", 'return "-" if value is None else figure.show(value)', 'return "-" if value is None else str(value)'
)
show.fault("wrong reduction", "if any(figure.name in values", "if all(figure.name in values")
show.fault("index", 'rows = [["images", *(str(values["num_images"])', 'rows = [["images", *(str(len(values))')
show.fault("off-by-one", 'f"{value:.4g}" if isinstance', 'f"{value:.2g}" if isinstance')
show.fault("dropped call", "width=min(console.width, console.measure(table).maximum))", "width=40)")

predict = Source(K + "predict.py", "tests/cli/test_predict.py", FLAGS, PREDICTIONS)
predict.fault("ignored option", "weights=arguments.weights", "weights=None")
predict.fault(
    "ignored option",
    "batch_size=arguments.batch_size",
    "batch_size=1",
)
predict.fault("ignored option", "arguments.path_column, arguments.label_column", "'path', arguments.label_column")
predict.fault("ignored option", "True if arguments.convert_images else None", "None")
predict.fault("sign", "return 1 if told.errors.count else 0", "return 0")
predict.fault("off-by-one", "if value < 1:", "if value < 0:", WORK)
predict.fault("ignored option", "    if arguments.json:\n        facts", "    if False:\n        facts")
predict.fault("swapped part", '"predictions": told.kept', '"predictions": []')
predict.fault("ignored option", '"calibrate": arguments.calibrate', '"calibrate": "none"', WORK)
predict.fault("ignored option", '"max_risk": arguments.max_risk', '"max_risk": None', WORK)
predict.fault("ignored option", "interval=arguments.interval", "interval=None", "tests/cli/test_years.py")
predict.fault("ignored option", "every=arguments.every", "every=1", WORK)
predict.fault("ignored option", "most=arguments.frames", "most=None", WORK)
predict.fault("dropped call", "            labels.add(batch.labels, of_batch)\n", "", WORK)

table = Source(K + "answer_table.py", "tests/cli/test_answer_table.py", WORK, "tests/cli/test_predict.py")
table.fault(
    "dropped call",
    "escaping.csv_cell(row[column])",
    "row[column]",
    "tests/cli/test_predict.py::test_a_name_that_a_spreadsheet_would_compute_is_text",
)
table.fault("dropped call", "        file.flush()\n", "")
table.fault("off-by-one", "self.count <= SHOWN", "self.count < SHOWN")
table.fault("sign", 'if not row.get("abstained", False):', 'if row.get("abstained", False):')
table.fault("swapped part", "self.right += is_right", "self.right += True")

explain = Source(K + "explain.py", "tests/cli/test_explain.py", FLAGS, PREDICTIONS)
explain.fault("ignored option", "weights=arguments.weights", "weights=None")
explain.fault("ignored option", "[arguments.run, *arguments.beside]", "[arguments.run]")
explain.fault("ignored option", "path, arguments.class_name, out", "path, None, out")
explain.fault("wrong reduction", "{name} {100 * share:.1f} %", "{name} {share:.1f} %")
explain.fault(
    "sign", "explanation.predicted == explanation.top[0][0]", "explanation.predicted != explanation.top[0][0]"
)
explain.fault("index", "predictor.class_names[int(label)]", "predictor.class_names[-1 - int(label)]")
explain.fault("dropped call", "folder if folder in predictor.class_names else None", "folder")
explain.fault("swapped part", '"predicted": of_first.predicted', '"predicted": of_first.explained')
explain.fault("sign", "    return 1 if errors else 0", "    return 0")

report = Source(K + "report.py", "tests/cli/test_report.py", STUDIES, "tests/cli/test_crossval.py")
report.fault("ignored option", "decoder=parsed.decoder", "decoder=None")
report.fault("ignored option", "baseline=parsed.baseline", "baseline=None")
report.fault("ignored option", "_out(folders, parsed.out)", "_out(folders, None)")
report.fault(
    "ignored option",
    "accept_differences=parsed.accept_changed_data",
    "accept_differences=False",
    "tests/crossval/test_consistency.py",
)
report.fault(
    "index", "report_sheets(gathered.collected, figures)[:1]", "report_sheets(gathered.collected, figures)[-1:]"
)

settings = Source(
    K + "settings.py", "tests/cli/test_settings.py", "tests/cli/test_recipes.py", "tests/cli/test_finetune.py"
)
settings.fault("dropped call", "    parser.set_defaults(flat)\n", "")
settings.fault("dropped call", "    _take_defaults(parser, argv, base)\n", "")
settings.fault("sign", "if chosen and chosen != flat.get", "if chosen and chosen == flat.get")
settings.fault("swapped part", '(("split", "fold"), ("fold", "split"))', '(("split", "fold"),)')
settings.fault("dropped call", "            flat[other] = None", "            pass")
settings.fault("ignored option", " or _file_component(base, setting.name)\n", "\n")
settings.fault("ignored option", "            parsed[key] = value  # a 2", "            pass  # a 2")
settings.fault(
    "swapped part",
    'peek(argv, f"--{setting.name}.name") or _file_component(base, setting.name)',
    '_file_component(base, setting.name) or peek(argv, f"--{setting.name}.name")',
)
settings.fault("ignored option", "chosen[kind] = Component(name, chosen[kind])", "chosen[kind] = Component(name)")
settings.fault(
    "sign",
    'if unknown:\n        raise FinegrainedError(f"recipe:',
    'if False:\n        raise FinegrainedError(f"recipe:',
)

parsing = Source(
    K + "parsing.py", "tests/cli/test_settings.py", "tests/cli/test_recipes.py", "tests/cli/test_finetune.py"
)
parsing.fault("index", "            value = argv[i + 1]\n", "            return argv[i + 1]\n")
parsing.fault("dropped call", 'name = name.replace("_", "-")\n', "pass\n")
parsing.fault("dropped call", "        self._refuse_unknown(argv)\n", "")
parsing.fault("ignored option", 'extra = {"nargs": "?", "const": True}', 'extra = {"nargs": "?", "const": False}')
parsing.fault("ignored option", "None if parameter.default is inspect.Parameter.empty else parameter.default", "None")

shortening = Source(K + "shortening.py", "tests/cli/test_shortening.py", "tests/cli/test_finetune.py")
shortening.fault("off-by-one", 'changed["warmup_epochs"] = epochs - 1', 'changed["warmup_epochs"] = epochs')
shortening.fault("off-by-one", "warmup >= epochs", "warmup > epochs")
shortening.fault("off-by-one", "any(decay >= epochs for", "any(decay > epochs for")
shortening.fault("swapped part", "decay * epochs / before", "decay * before / epochs")
shortening.fault("sign", 'if not _is_flagged(words, "warmup_epochs")', 'if _is_flagged(words, "warmup_epochs")')
shortening.fault("sign", 'if not _is_flagged(words, "decay_epochs")', 'if _is_flagged(words, "decay_epochs")')
shortening.fault("off-by-one", "max(1, round(value * share))", "round(value * share)")
shortening.fault(
    "off-by-one",
    "1 <= int(asked) < before",
    "1 <= int(asked) <= before",
    why_equivalent="at the recipe's own length the share is 1 and nothing changes",
)
shortening.fault("ignored option", 'and not _is_flagged(words, f"method.{option}")', "")

verify = Source(K + "verify.py", "tests/cli/test_verify.py", "tests/cli/test_integrity.py")
verify.fault("sign", "return 1 if damaged else 0", "return 0")
verify.fault("dropped call", "        damaged |= _contradictions(folder)\n", "        pass\n")
verify.fault("sign", "if problems is None]", "if problems is not None]")
verify.fault(
    "ignored option",
    "if run.is_done else None\n\n\ndef study_states",
    "if not run.is_done else None\n\n\ndef study_states",
)
verify.fault("off-by-one", "total - len(unfinished) - len(", "total - len(")

finetune = Source(K + "finetune.py", "tests/cli/test_finetune.py")
finetune.fault("ignored option", "if parsed.dry_run:", "if False:")
finetune.fault(
    "ignored option", "train(recipe, run, options, resume=parsed.resume)", "train(recipe, run, options, resume=False)"
)
EVERY_WAY = "tests/cli/test_every_setting.py"
finetune.fault("ignored option", "workers=parsed.workers,", "workers=-1,", EVERY_WAY)
finetune.fault("ignored option", "device=parsed.device,", 'device="auto",', EVERY_WAY)
finetune.fault("ignored option", "=parsed.checkpoint_seconds,", "=300.0,", EVERY_WAY)
finetune.fault("ignored option", "threads=parsed.threads,", "threads=0,", EVERY_WAY)
finetune.fault(
    "ignored option", "accept_changed_data=parsed.accept_changed_data", "accept_changed_data=False", ACCEPTED
)
finetune.fault("dropped call", "str(Path(recipe.data).absolute()) if recipe.data", "recipe.data if recipe.data")
finetune.fault("dropped call", "else str(Path(recipe.weights).absolute())", "else recipe.weights")
finetune.fault("ignored option", "if parsed.out else default_folder(recipe)", "if False else default_folder(recipe)")
finetune.fault("dropped call", "    run.write_data(session.data)\n", "", ACCEPTED)
finetune.fault(
    "dropped call",
    "        run.write_changes(",
    "        (lambda *_: None)(",
    ACCEPTED,
)

crossval = Source(K + "crossval.py", FLAGS, "tests/cli/test_crossval.py", STUDIES)
plan = Source(K + "study_plan.py", FLAGS, "tests/cli/test_crossval.py", STUDIES)
checks = Source(K + "study_checks.py", "tests/cli/test_crossval.py", STUDIES)
plan.fault("ignored option", "[*parsed.folds] or", "[] or")
plan.fault("ignored option", "[*parsed.seeds] or [recipe.seed]", "[recipe.seed]")
plan.fault("ignored option", "[*parsed.losses] or [recipe.loss.name]", "[recipe.loss.name]")
plan.fault("ignored option", "parse_grid(parsed.grid), parsed.controls,", "parse_grid(parsed.grid), None,")
how = Source(K + "study_how.py", FLAGS, "tests/cli/test_crossval.py")
how.fault("ignored option", "parsed.jobs or max(1, len(gpus)) *", "max(1, len(gpus)) *")
how.fault("ignored option", "len(gpus)) * cells_per_share(parsed.share)", "len(gpus))")
how.fault("ignored option", "share = parsed.share or min(", "share = min(")
how.fault("ignored option", "Machine(jobs, gpus, parsed.device,", 'Machine(jobs, gpus, "auto",')
how.fault("ignored option", "how = (parsed.checkpoint_seconds,", "how = (60.0,")
how.fault("ignored option", "parsed.data_in, share)", '"auto", share)')
crossval.fault("ignored option", "if parsed.plan:", "if False:")
checks.fault(
    "dropped call",
    "            require_no_leaks(records, parts, data, allowed=recipe.allow_leaks)\n",
    "",
    "tests/cli/test_audit.py",
)
crossval.fault(
    "sign",
    "return 1 if launcher.failed else 0\n    for",
    "return 0\n    for",
    "tests/cli/test_crossval.py::test_a_failing_cell_does_not_stop_the_others",
)
plan.fault(
    "ignored option", "if name == recipe.loss.name else recipe.replace(loss=Component(name))", "if True else recipe"
)
plan.fault("ignored option", 'asked = [*words, "--method.name", method]', "asked = [*words]")
crossval.fault("off-by-one", "available_cores()) // machine.jobs)", "available_cores()) // machine.jobs + 1)")
crossval.fault("ignored option", "(site.cores or available_cores())", "available_cores()")

inputs = Source("finegrained_crl/training/inputs.py", PREDICTIONS, "tests/cli/test_predict.py")
inputs.fault("dropped call", "sorted(file for file in path.rglob", "list(file for file in path.rglob")
inputs.fault("swapped part", "(path.parent / name, label)", "(Path(name), label)")
inputs.fault("ignored option", "zip(table[column], labels", 'zip(table["path"], labels')
inputs.fault("sign", 'and not path.name.startswith(".")', "")

finetune.fault("ignored option", "tracker=parsed.tracker", 'tracker="tensorboard"', "tests/training/test_trackers.py")
recipe_diff = Source(
    "finegrained_crl/cli/recipe_diff.py", "tests/cli/test_recipe.py::test_recipes_files_and_runs_are_compared"
)
recipe_diff.fault("sign", "if pair[0] != pair[1]}", "if pair[0] == pair[1]}")
recipe_diff.fault("index", "second.get(setting, ABSENT))", "first.get(setting, ABSENT))")
recipe_diff.fault("dropped call", "for setting in {**first, **second}}", "for setting in first}")
recipe_check = Source(
    "finegrained_crl/cli/recipe_check.py", "tests/cli/test_recipe.py::test_what_a_run_would_refuse_is_refused"
)
recipe_check.fault("dropped call", "    check_recipe(recipe.replace", "    (recipe.replace")

status = Source(K + "status.py", "tests/cli/test_status.py")
status.fault("ignored option", "    if arguments.json:\n", "    if False:\n")
status.fault("off-by-one", "for name, cell in chosen[:MOST]:", "for name, cell in chosen[1:MOST]:")
status.fault("dropped call", '*_listed(census, "failed"), ', "")
status.fault("off-by-one", "if cell.tries > 1 else", "if cell.tries > 2 else")
status.fault("sign", "    elif left == 0:\n", "    elif left != 0:\n")

power = Source(K + "power.py", "tests/cli/test_power.py", "tests/cli/test_foresight.py")
power.fault("ignored option", "baseline=parsed.baseline, figure=parsed.figure", "figure=parsed.figure")
power.fault("ignored option", "parsed.baseline, figure=parsed.figure", "parsed.baseline, figure=None")
power.fault("wrong reduction", "values[name] / 100 for name", "values[name] for name")
power.fault("ignored option", "plans(asked.sources, design, wanted=parsed.power)", "plans(asked.sources, design)")
power.fault("ignored option", "asked.design._replace(**{k: v for k, v in _sizes(parsed).items() if v})", "asked.design")
power.fault("wrong reduction", "parsed.difference / scale, parsed.difference", "parsed.difference, parsed.difference")
power.fault("ignored option", "asked.design, wanted=parsed.power)", "asked.design, wanted=0.8)")
power.fault("wrong reduction", "scale * math.sqrt(value) for name", "scale * value for name")

view = Source(K + "study_view.py", "tests/cli/test_crossval.py", "tests/crossval/test_launch.py")
view.fault(
    "wrong reduction", "-(-left // self.jobs) * sum(seconds) / len(seconds)", "-(-left // self.jobs) * sum(seconds)"
)
view.fault("ignored option", "-(-left // self.jobs)", "left")
view.fault("off-by-one", 'count("\\n") if path.is_file() else 1', 'count("\\n") - 1 if path.is_file() else 1')
view.fault("swapped part", "setdefault((cell.variant, cell.seed), [])", "setdefault((cell.variant, cell.fold), [])")

listing = Source(K + "list.py", "tests/cli/test_main.py", "tests/cli/test_help.py", "tests/test_docs.py")
listing.fault("index", ".splitlines()[1].lstrip", ".splitlines()[0].lstrip")
listing.fault("ignored option", "[arguments.kind] if arguments.kind else list(KINDS)", "list(KINDS)")
listing.fault("off-by-one", "if len(file.parts) > 1 else file.title", "if len(file.parts) > 9 else file.title")

plot = Source(
    K + "plot.py",
    "tests/reports/test_comparison.py",
    "tests/reports/test_curves.py",
    "tests/cli/test_main.py",
    "tests/reports/test_loss_figures.py",
)
plot.fault("ignored option", "(run.name if labels.count(run.name) == 1 else str(run))", "run.name")
plot.fault(
    "dropped call",
    '    if out.suffix not in (".png", ".svg", ".pdf"):\n        raise FinegrainedError(f"--out {out}: give',
    '    if False:\n        raise FinegrainedError(f"--out {out}: give',
)

ranks = Source(K + "ranks.py", "tests/cli/test_ranks.py")
ranks.fault(
    "sign", "    except FileExistsError:\n        return False\n", "    except FileExistsError:\n        return True\n"
)
ranks.fault("dropped call", "        if not is_lost:\n            raise\n", "")
ranks.fault("dropped call", "    if not is_one_of_several():\n        return True\n", "")

probe = Source(K + "probe.py", "tests/probes/test_study.py", "tests/cli/test_every_flag.py")
probe.fault(
    "ignored option",
    "ProbeOptions(parsed.hidden, parsed.cached_views, parsed.label_noise, parsed.imbalance)",
    "ProbeOptions(parsed.hidden, parsed.cached_views, 0.0, parsed.imbalance)",
)
probe.fault(
    "ignored option",
    "RunOptions(parsed.workers, parsed.device)",
    "RunOptions(parsed.workers)",
    why_equivalent="without a GPU both are the CPU",
)
probe.fault("dropped call", "        check_probe(recipe, options)\n", "        pass\n")
probe.fault("ignored option", "    torch.set_num_threads(study.threads)\n", "")
probe.fault(
    "ignored option",
    "features = cached_features(session, place, options.views, _say(parsed))",
    "features = cached_features(session, place, 4, _say(parsed))",
)

auditing = Source(K + "data_audit.py", "tests/cli/test_audit.py", "tests/data/test_audit.py")
auditing.fault("sign", "return 0 if report.ok else 1", "return 0")
auditing.fault(
    "ignored option",
    "hold_out(records, split=parsed.split, fold=parsed.fold)",
    "hold_out(records, split=parsed.split, fold=parsed.fold or 0)",
)
auditing.fault(
    "ignored option",
    "parts.train, parsed.val_fraction, parsed.seed, digests)",
    "parts.train, parsed.val_fraction, 0, digests)",
)
auditing.fault("dropped call", "    report.dropped = dict(records.dropped)\n", "")
auditing.fault("sign", "key=lambda pair: -pair.likeness)", "key=lambda pair: pair.likeness)")
auditing.fault(
    "ignored option",
    "table, records.protocol, groupings=groupings, root=root, near=parsed.near,",
    "table, records.protocol, groupings=groupings, root=root,",
)
auditing.fault("dropped call", 'return "clean" if report.complete else "INCOMPLETE, not clean"', 'return "clean"')
auditing.fault("ignored option", "root = None if parsed.labels_only else records.root", "root = records.root")

verify_view = Source(K + "data_verify_view.py", "tests/cli/test_data.py")
verify_view.fault("sign", "'fine' if report['ok'] else 'NOT fine'", "'NOT fine' if report['ok'] else 'fine'")
verify_view.fault("swapped part", '(c["name"], c["expected"], c["found"],', '(c["name"], c["found"], c["expected"],')
verify_view.fault("dropped call", '{**report["files"], **report["conflicts"]}', 'report["files"]')

words = Source(K + "study_words.py", "tests/cli/test_study_words.py", "tests/cli/test_study_parts.py")
foresight = Source(K + "foresight.py", "tests/cli/test_foresight.py")
words.fault(
    "swapped part",
    "return [word for key, value in plan.items() for word in _words(key, value)] + words",
    "return words + [word for key, value in plan.items() for word in _words(key, value)]",
)
words.fault("ignored option", "plan(part, scale or AS_PRINTED)", "plan(part, AS_PRINTED)")
words.fault("dropped call", '    if name is None or parsing.peek(words, "--part"):\n', "    if name is None:\n")
foresight.fault(
    "ignored option",
    "pilot.seeds_differ and pilot.design.folds == design.folds:",
    "pilot.seeds_differ:",
)
foresight.fault("dropped call", "if pilot and pilot.seeds_differ and", "if pilot and")
foresight.fault("wrong reduction", "sum(name != of for name, of in baselines.items())", "len(baselines)")
foresight.fault("dropped call", " + subjects.isna().sum())", ")")

power.fault("ignored option", "asked.figure, parsed.power, parsed.out)", "asked.figure, 0.8, parsed.out)")
power.fault("wrong reduction", "100 * power(difference, asked.sources", "100 * power(shown, asked.sources")
predict.fault(
    "swapped part",
    "(threshold.coverage, threshold.error, threshold.bound))",
    "(threshold.coverage, threshold.bound, threshold.error))",
    WORK,
)
table.fault(
    "wrong reduction", "self.answered_right, self.answered or np.nan)", "self.answered_right, self.labelled or np.nan)"
)
table.fault("swapped part", '"right": self.right, f"in_top', '"right": self.near, f"in_top')
table.fault("index", '_classes"]).split("|")', '_classes"])')

tune = Source(K + "tune.py", "tests/cli/test_tune.py")
tune.fault(
    "swapped part",
    '(primary.show(row["validation"]), primary.show(row["test"]))',
    '(primary.show(row["test"]), primary.show(row["validation"]))',
)
tune.fault("dropped call", 'decay_epochs=fitted["decay_epochs"])', "decay_epochs=recipe.decay_epochs)")
tune.fault("off-by-one", "recipe.epochs // 2)", "recipe.epochs // 3)")

PAGE = "tests/reports/page/test_page.py::"
report.fault(
    "ignored option",
    "PageOptions(parsed.anonymous, ",
    "PageOptions(False, ",
    PAGE + "test_an_anonymous_page_holds_nobody",
)
report.fault("ignored option", '{"rope": parsed.rope,', '{"rope": 0.0,', FLAGS + "::test_report_rope")
report.fault(
    "wrong reduction",
    '(gathered.collected.cells["state"] != "done").any()',
    "False",
    PAGE + "test_watching_ends_with_the_last_cell",
)
