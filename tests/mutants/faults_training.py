"""Faults in a run: loop, stages, scores, results, targets, what is kept and what is refused."""

from faults import Source

T = "finegrained_crl/training/"
MEANS = "tests/meaning/test_training_means.py"
PREDICTIONS = "tests/meaning/test_predictions_mean.py"
YEARS = "tests/cli/test_years.py"
WORK = "tests/cli/test_predict_at_work.py"
RANKS = "tests/training/test_ranks.py"
CHANGED = "tests/cli/test_integrity.py::test_data_changed_between_kill_and_resume_is_refused"

loop = Source(T + "loop.py", "tests/training/test_loop.py", MEANS, "tests/cli/test_finetune.py")
loop.fault("ignored option", "_ema(self.trainee, self.recipe.ema)", "_ema(self.trainee, 0.0)", MEANS)
loop.fault(
    "swapped part",
    "self.ema.module if self.ema else self.trainee",
    "self.trainee",
    MEANS,
    named="averaged weights are not evaluated",
)
loop.fault(
    "dropped call",
    "            self.ema.update(self.trainee, step=",
    "            (lambda *_, **__: None)(self.trainee, step=",
)
loop.fault("ignored option", "use_warmup=True", "use_warmup=False")
loop.fault("ignored option", "decay=decay", "decay=0.999")
loop.fault("dropped call", "            self.ema.set(self.trainee)", "            pass")
loop.fault("index", "step=p.epoch * stage.updates_per_epoch + p.update)", "step=p.update)")
loop.fault(
    "wrong reduction", "backward(total / parts)", "backward(total)", MEANS, named="accumulated losses are not divided"
)
loop.fault("wrong reduction", "torch.stack(list(losses.values())).sum()", "torch.stack(list(losses.values())).mean()")
loop.fault("wrong reduction", "torch.stack(list(losses.values())).sum()", "next(iter(losses.values()))")
loop.fault("ignored option", "if stage.recipe.clip_grad:", "if False:", MEANS, named="--clip-grad is ignored")
loop.fault("swapped part", "if stage.recipe.clip_grad:", "if self.recipe.clip_grad:")
loop.fault("ignored option", "self.trainee.parameters(), stage.recipe.clip_grad", "self.trainee.parameters(), 1.0")
loop.fault("dropped call", "        stage.optimizer.zero_grad(set_to_none=True)\n", "", MEANS)
loop.fault("dropped call", "        stage.optimizer.step()\n", "", MEANS)
loop.fault("off-by-one", "        p.update += 1\n", "        p.update += 2\n")
loop.fault("index", "schedule.step_update((p.epoch - stage.placed.first)", "schedule.step_update((p.epoch)")
loop.fault(
    "dropped call", "* stage.updates_per_epoch + p.update)\n        for", "* stage.updates_per_epoch)\n        for"
)
loop.fault(
    "off-by-one",
    "stage.updates_per_epoch + p.update)\n        for",
    "stage.updates_per_epoch + p.update + 1)\n        for",
)
loop.fault(
    "dropped call",
    "seed_step(self.recipe.seed, p.epoch, p.update, ",
    "(lambda *_: None)(self.recipe.seed, p.epoch, p.update, ",
)
loop.fault("ignored option", "seed_step(self.recipe.seed, p.epoch", "seed_step(0, p.epoch")
loop.fault("index", "seed_step(self.recipe.seed, p.epoch, p.update", "seed_step(self.recipe.seed, p.epoch, 0")
loop.fault("index", "scores.detach().argmax(1) == hard", "scores.detach().argmin(1) == hard", MEANS)
loop.fault("wrong reduction", 'p.add(f"loss/{role}", value * size)', 'p.add(f"loss/{role}", value)', MEANS)
loop.fault("wrong reduction", "        size = len(figures.batch.labels)", "        size = 1")
loop.fault("dropped call", "        self.stage.train_mode()\n", "")
loop.fault(
    "index",
    "order = self.session.order.at(p.epoch)",
    "order = self.session.order.at(0)",
    why_equivalent="the next statement sets the epoch again; in between only the length is asked for, the same in all",
)
loop.fault("off-by-one", "min(done * self.stage.recipe.accumulate, len(order))", "min(done, len(order))")
loop.fault("off-by-one", "min(done * self.stage.recipe.accumulate, len(order))", "0")
loop.fault("dropped call", "            self.trainee.criteria.end_epoch()\n", "")
loop.fault(
    "sign",
    "and p.is_better(merit(row))",
    "and not p.is_better(merit(row))",
    MEANS,
    named="the worst epoch is selected",
)
loop.fault("swapped part", '"trainee": self.evaluated.state_dict()}', '"trainee": self.trainee.state_dict()}')
loop.fault("dropped call", "        p.stopped = self._has_run_dry()\n", "")
loop.fault("swapped part", 'self.watched("val", s.parts.val', 'self.watched("val", s.parts.test', MEANS)
loop.fault("swapped part", 'self.watched("test", s.parts.test', 'self.watched("test", s.parts.val', MEANS)
loop.fault("ignored option", "due = self.stage.validates(p.epoch)", "due = True", "tests/plugins/bcnn/test_method.py")
loop.fault("off-by-one", ">= patience", "> patience", MEANS)
loop.fault("swapped part", "max(p.best_epoch, last.first)", "p.best_epoch")
loop.fault("sign", "patience > 0 and p.epoch", "patience >= 0 and p.epoch")
loop.fault("off-by-one", "(self.progress.epoch + 1) % every == 0", "self.progress.epoch % every == 0")
loop.fault("ignored option", "(self.progress.epoch + 1) % every == 0", "True")
loop.fault(
    "swapped part", "s.records.table.iloc[rows], s.records.ages", "s.records.table.iloc[rows[::-1]], s.records.ages"
)
loop.fault("ignored option", "trainee, s.eval_pictures, rows", "trainee, s.train_pictures, rows")
loop.fault("dropped call", '            self.stage.optimizer.load_state_dict(state["optimizer"])', "            pass")
loop.fault(
    "ignored option",
    "yield s.scorer.inputs(batch.images[:, 0])",
    "yield batch.images[:, 0].permute(0, 3, 1, 2).float()",
)
loop.fault("swapped part", "eval_loader(s.eval_pictures, s.parts.train", "eval_loader(s.eval_pictures, s.parts.test")
loop.fault("dropped call", "        take_up(self, state)\n", "")
loop.fault("dropped call", "        if not is_finite(losses):", "        if False:")
loop.fault("sign", "if self.progress.epoch < placed.end and not", "if self.progress.epoch <= placed.end and not")

loop_state = Source(T + "loop_state.py", "tests/training/test_loop.py", MEANS, "tests/cli/test_finetune.py")
loop_state.fault("dropped call", '        loop.ema.module.load_state_dict(state["ema"])', "        pass")
loop_state.fault("dropped call", '    loop.trainee.load_state_dict(state["trainee"])\n', "")
loop_state.fault("dropped call", "    _require_same_data(session, state)\n", "", CHANGED)
loop_state.fault("swapped part", "loop.ema.module.state_dict() if loop.ema", "loop.trainee.state_dict() if loop.ema")
loop_state.fault("dropped call", '* state.get("processes", 1) // session.accelerator.num_processes', "", RANKS)
loop_state.fault("dropped call", '    loop.trainee.model.notes = state["notes"]\n', "")

stage_run = Source(T + "stage_run.py", "tests/training/test_stage_run.py", MEANS, "tests/plugins/bcnn/test_runs.py")
stage_run.fault("dropped call", "        trainee.requires_grad_(True)\n        self.frozen", "        self.frozen")
stage_run.fault("ignored option", "self.frozen = optim.freeze(trainee, self.recipe.freeze)", "self.frozen = []")
stage_run.fault(
    "swapped part", "optim.make_optimizer(trainee, self.recipe)", "optim.make_optimizer(trainee, session.recipe)"
)
stage_run.fault("off-by-one", "-(-len(session.order.at(0)) // self", "len(session.order.at(0)) // self")
stage_run.fault("ignored option", "// self.recipe.accumulate)", "// 1)")
stage_run.fault(
    "swapped part", "optim.make_schedule(optimizer, self.recipe,", "optim.make_schedule(optimizer, session.recipe,"
)
stage_run.fault("dropped call", "            module.eval()\n", "            pass\n")
stage_run.fault("dropped call", "        if group:\n            yield group\n", "", MEANS)
stage_run.fault(
    "off-by-one", "if len(group) == self.recipe.accumulate", "if len(group) > self.recipe.accumulate", MEANS
)
stage_run.fault("ignored option", "self.targets.of(labels), stage=name", "labels, stage=name")
stage_run.fault(
    "ignored option",
    "return TrainBatch(images, target, extras, name)",
    "return TrainBatch(images, labels, extras, name)",
    MEANS,
)
stage_run.fault(
    "ignored option",
    "return TrainBatch(images, target, extras, name)",
    "return TrainBatch(images, target, {}, name)",
    "tests/plugins/dcl/test_runs.py",
)
stage_run.fault("off-by-one", "epoch + 1 == self.placed.end", "epoch == self.placed.end")
stage_run.fault("ignored option", "if placed.stage.cached_views and (recipe.mixup or recipe.cutmix):", "if False:")
stage_run.fault(
    "ignored option",
    "(recipe.mixup or recipe.cutmix) and trainee.method.per_image()",
    "recipe.mixup and trainee.method.per_image()",
)
stage_run.fault(
    "index",
    "images, target = self.targets(s.scorer.inputs(batch.images), labels)",
    "images, target = self.targets(s.scorer.inputs(batch.images.flip(2)), labels)",
)

scorer = Source(T + "scorer.py", "tests/training/test_scorer.py", MEANS, PREDICTIONS)
scorer.fault(
    "dropped call",
    "self.normalise(images).contiguous(",
    "images.flatten(0, -4).permute(0, 3, 1, 2).float().contiguous(",
    named="predict without normalisation",
)
scorer.fault("wrong reduction", "by_picture.mean(1)", "by_picture[:, 0]", named="test-time views are not averaged")
scorer.fault("wrong reduction", "by_picture.mean(1)", "by_picture.amax(1)")
scorer.fault("wrong reduction", "by_picture.mean(1)", "by_picture.sum(1)")
scorer.fault(
    "index", "scores.unflatten(0, (-1, views.shape[1]))", "scores.unflatten(0, (views.shape[1], -1)).transpose(0, 1)"
)
scorer.fault(
    "ignored option",
    "return choose(scores, self.decoder)",
    'return choose(scores, "argmax")',
    named="predict ignores the decoder",
)
scorer.fault("ignored option", ' if ordered else "argmax"', "")
scorer.fault("ignored option", 'getattr(trainee.method, "decoder", usual)', "usual")
scorer.fault("swapped part", "normaliser(model.mean, model.std,", "normaliser(model.std, model.mean,")
scorer.fault(
    "ignored option",
    "memory_format(recipe.memory_format), accelerator, decoder",
    'memory_format("contiguous"), accelerator, decoder',
)

evaluate = Source(T + "evaluate.py", "tests/training/test_evaluate.py", MEANS)
evaluate.fault("dropped call", "    trainee.eval()\n", "")
evaluate.fault("dropped call", "    trainee.train(was_training)\n", "")
evaluate.fault(
    "dropped call",
    "        parts.append(scorer.scores(trainee, batch.images))",
    "        parts = [scorer.scores(trainee, batch.images)]",
)
evaluate.fault("index", "rows[rank::world]", "rows[::-1]")
evaluate.fault(
    "index",
    "        if rows is not None:\n            out[rank::world] = rows",
    "        if rows is not None:\n            out[: len(rows)] = rows",
)
evaluate.fault("dropped call", "if not all(np.isfinite(part).all() for part in parts):", "if False:")
evaluate.fault(
    "wrong reduction",
    "if not all(np.isfinite(part).all() for part in parts):",
    "if not any(np.isfinite(part).all() for part in parts):",
)
evaluate.fault("wrong reduction", "np.isfinite(part).all()", "np.isfinite(part).any()")

results = Source(T + "results.py", "tests/training/test_results.py", MEANS)
results.fault("swapped part", 'candidates = {"last": loop.evaluated}', 'candidates = {"last": loop.trainee}', MEANS)
results.fault(
    "swapped part",
    "        best: Trainee = _selected(loop)",
    "        best: Trainee = loop.evaluated",
    MEANS,
    named='weights "selected on validation" are the last ones',
)
results.fault(
    "dropped call", '    best.load_state_dict(checkpoint.load(loop.session.run.best)["trainee"])\n', "", MEANS
)
results.fault(
    "swapped part",
    '{"test": session.parts.test, "val": session.parts.val}',
    '{"test": session.parts.val, "val": session.parts.test}',
    MEANS,
)
results.fault("ignored option", 'table["label"].to_numpy(), decoder, ages=', 'table["label"].to_numpy(), ages=', MEANS)
results.fault("ignored option", "all_figures(told, **records.order)", "all_figures(told, ordered=False)", MEANS)
results.fault("swapped part", 'age_interval(answers["val"].errors', 'age_interval(answers["test"].errors', YEARS)
results.fault("swapped part", 'as_dict(answers["test"].errors)', 'as_dict(answers["val"].errors)', YEARS)
results.fault("swapped part", '"selected" if recipe.early_stopping else "last"', '"last"', MEANS)
results.fault("swapped part", '"selected" if recipe.early_stopping else "last"', '"selected"', MEANS)
results.fault(
    "wrong reduction",
    '{"top1_accuracy": max(watched)',
    '{"top1_accuracy": min(watched)',
    MEANS,
    named="the oracle is a minimum",
)
results.fault("index", '{"top1_accuracy": max(watched)', '{"top1_accuracy": watched[-1]', MEANS)
results.fault("swapped part", 'metrics.get("selected")}', 'metrics.get("last")}', MEANS)
results.fault("swapped part", 'row["test_top1"] for row in history', 'row["val_top1"] for row in history', MEANS)
results.fault(
    "off-by-one", '"selected_epoch": p.best_epoch or None', '"selected_epoch": (p.best_epoch - 1) or None', MEANS
)
results.fault("off-by-one", '"epochs_run": p.epoch,', '"epochs_run": p.epoch + 1,', MEANS)
results.fault(
    "swapped part",
    '"class_names": list(session.records.class_names)',
    '"class_names": list(session.records.class_names)[::-1]',
    MEANS,
)
results.fault("index", "records.table.iloc[rows].drop", "records.table.iloc[rows[::-1]].drop", MEANS)
results.fault("ignored option", "part=part, weights=which", 'part=part, weights="last"')
results.fault("swapped part", '"train": len(session.parts.train)', '"train": len(session.parts.test)')
results.fault(
    "swapped part",
    'list(session.trainee.model.mean), "std": list(session.trainee.model.std)',
    'list(session.trainee.model.std), "std": list(session.trainee.model.mean)',
)
results.fault("dropped call", "        session.run.commit()\n", "")
results.fault(
    "dropped call",
    "    if criteria:\n        checkpoint.save_weights(session.run.loss_weights(which), criteria)\n",
    "",
    "tests/cli/test_losses_train.py::test_every_loss_trains_and_predicts[em-softmax]",
    "tests/cli/test_losses_train.py",
)
results.fault(
    "swapped part", "trainee.model.exported().state_dict())", "session.trainee.model.exported().state_dict())", MEANS
)

protocol = Source(T + "protocol.py", "tests/training/test_protocol.py")
protocol.fault("index", '"denominator": len(session.parts.test)', '"denominator": len(session.parts.train)')
protocol.fault("swapped part", '"exponential moving average" if r.ema else "trained"', '"trained"')
protocol.fault("swapped part", 'f"fold {r.fold}" if r.fold is not None', 'f"fold {r.fold}" if r.fold')
protocol.fault("ignored option", 'r.split or "test"', '"test"')
protocol.fault("wrong reduction", "notna().all()", "notna().any()")
protocol.fault("ignored option", '"decoder": session.scorer.decoder', '"decoder": "argmax"', MEANS)

assembly = Source(T + "assembly.py", "tests/training/test_assembly.py", "tests/cli/test_finetune.py")
assembly.fault(
    "ignored option",
    'if recipe.missing == "skip":\n',
    "if False:\n",
    "tests/cli/test_missing_images.py",
)
assembly.fault(
    "ignored option",
    "hold_out(records, split=recipe.split, fold=recipe.fold)",
    "hold_out(records, split=None, fold=recipe.fold)",
)
assembly.fault("ignored option", "recipe.val_fraction, recipe.seed, digests)", "recipe.val_fraction, 0, digests)")
assembly.fault("ignored option", "recipe.val_fraction, recipe.seed, digests)", "recipe.val_fraction, recipe.seed)")
assembly.fault("swapped part", "return Partition(train, val, parts.test)", "return Partition(train, parts.test, val)")
assembly.fault(
    "swapped part", "return Partition(train, val, parts.test)", "return Partition(parts.train, val, parts.test)"
)
assembly.fault("sign", "if leaks and not allowed:", "if leaks and allowed:")
assembly.fault("ignored option", "if changes and not accept:", "if False:", CHANGED)
assembly.fault("ignored option", "seed_step(recipe.seed)", "seed_step(0)")
assembly.fault(
    "ignored option",
    "recipe.weights, recipe.drop_rate, recipe.drop_path_rate",
    "recipe.weights, 0.0, recipe.drop_path_rate",
)
assembly.fault("swapped part", "recipe.drop_rate, recipe.drop_path_rate", "recipe.drop_path_rate, recipe.drop_rate")
assembly.fault("ignored option", "cls(**recipe.method.options)", "cls()", MEANS)
assembly.fault("ignored option", "check_header(path, convert)", "check_header(path, True)")

session = Source(T + "session.py", "tests/training/test_session.py", "tests/cli/test_finetune.py")
session.fault("swapped part", "recipe.epochs * batches)", "batches)")
session.fault(
    "dropped call", "            torch.set_num_threads(best.threads or torch.get_num_threads())\n", "            pass\n"
)
session.fault("swapped part", '("precision", "memory_format", "compile")}', '("precision", "memory_format")}')
session.fault("dropped call", "        set_threads(options.threads)\n", "")
session.fault("dropped call", "        check_images(self.records, used, convert=recipe.convert_images)\n", "")
session.fault("ignored option", "if self.recipe.class_balanced", "if False")
session.fault("ignored option", "r.batch_size, r.seed, weights", "r.batch_size, 0, weights")
session.fault("ignored option", "drop_last=r.drop_last", "drop_last=True", MEANS)
session.fault(
    "swapped part", "train = self.parts.train\n", "train = np.concatenate([self.parts.train, self.parts.test])\n", MEANS
)
session.fault(
    "swapped part",
    "make_pictures(self, EvalTransform(image_settings(self.recipe)))",
    "make_pictures(self, self.train_transform)",
)
session.fault(
    "ignored option",
    "TrainTransform(image_settings(self.recipe), self.recipe.seed)",
    "TrainTransform(image_settings(self.recipe), 0)",
)

figures = Source(T + "step_figures.py", "tests/training/test_step_figures.py")
figures.fault("dropped call", "        if not self.late:\n            self.settle()\n", "")
figures.fault("dropped call", "figures, self.waiting = self.waiting, None", "figures = self.waiting")
figures.fault("index", "*losses, correct = self.values.tolist()", "correct, *losses = self.values.tolist()")
loop.fault(
    "dropped call",
    "self.saved_at = time.monotonic()\n        self.figures.settle()\n",
    "self.saved_at = time.monotonic()\n",
    "tests/training/test_step_figures.py",
)
loop.fault(
    "dropped call",
    "                self._save_if_due()\n        self.figures.settle()\n",
    "                self._save_if_due()\n",
    "tests/training/test_step_figures.py",
)

routes = Source(T + "routes.py", "tests/training/test_routes.py")
routes.fault(
    "ignored option", "convert=convert, per_image=per_image)", "convert=convert)", "tests/plugins/dcl/test_runs.py"
)
routes.fault("ignored option", "cutter, rows, per_image=per_image)", "cutter, rows)")
routes.fault("ignored option", "make_cutter(store, device)", "make_cutter(store)")
routes.fault("sign", 'if asked == "auto" and not can_cut:', "if False:")
routes.fault("sign", 'if asked == "device" and not can_cut:', "if False:")
routes.fault("off-by-one", "room_for_stores() // 4)", "room_for_stores())")
routes.fault("dropped call", "min(UNASKED_BYTES, room_for_stores() // 4)", "room_for_stores() // 4")
routes.fault("sign", "if needed > free:", "if False:")
routes.fault("wrong reduction", "np.mean(sizes) * len(rows)", "np.sum(sizes)")
session.fault("ignored option", "if run.holds_run:\n", "if False:\n")
session.fault("ignored option", "**self.records.order", "ordered=False", MEANS)
session.fault(
    "index", "best = fastest(self.timings, recipe.epochs * batches).setting", "best = self.timings[-1].setting"
)

targets = Source(T + "targets.py", "tests/training/test_targets.py", MEANS)
targets.fault("sign", "mul_(1 - smoothing)", "mul_(1 + smoothing)")
targets.fault("off-by-one", "add_(smoothing / num_classes)", "add_(smoothing / (num_classes - 1))")
targets.fault(
    "ignored option",
    "self.smoothing = num_classes, recipe.label_smoothing",
    "self.smoothing = num_classes, 0.0",
    named="label smoothing is not applied",
)
targets.fault("swapped part", "Mixup(recipe.mixup, recipe.cutmix,", "Mixup(recipe.cutmix, recipe.mixup,")
targets.fault(
    "ignored option", "label_smoothing=recipe.label_smoothing, num_classes", "label_smoothing=0.0, num_classes"
)
targets.fault("ignored option", "if not (recipe.mixup or recipe.cutmix):", "if not recipe.mixup:")
targets.fault("index", "target.argmax(1)", "target.argmin(1)")
targets.fault("wrong reduction", "(self.mixer or self.smoothing) and not", "self.mixer and not")
targets.fault("sign", "len(images) % 2 == 0", "len(images) % 2 == 1")
targets.fault("ignored option", "if self.mixer else self.of(labels)", "if False else labels")

criteria = Source(T + "criteria.py", "tests/training/test_criteria.py", "tests/losses/test_feature_losses.py")
criteria.fault("ignored option", 'if role in chosen else ("ce", {})', 'if True else ("ce", {})')
criteria.fault("ignored option", "name, own = (loss.name, options)", "name, own = (loss.name, {})")
criteria.fault("ignored option", 'loss.options.get("where") or ', "")
criteria.fault("wrong reduction", "return all(getattr(criterion", "return any(getattr(criterion")
criteria.fault("dropped call", "                step()\n", "                pass\n")
criteria.fault(
    "sign",
    "for role, shape in roles.items() if shape.by_default]",
    "for role, shape in roles.items() if not shape.by_default]",
)
criteria.fault("off-by-one", "if len(roles) > 1 and", "if len(roles) > 2 and")
criteria.fault("swapped part", "feature_dim=shape.feature_dim", "feature_dim=shape.num_classes")

progress = Source(T + "progress.py", "tests/training/test_progress.py", MEANS)
progress.fault("sign", "accuracy > self.best_accuracy", "accuracy < self.best_accuracy", MEANS)
progress.fault("off-by-one", "accuracy > self.best_accuracy", "accuracy >= self.best_accuracy")
progress.fault(
    "off-by-one",
    "self.best_epoch, self.best_accuracy = self.epoch + 1",
    "self.best_epoch, self.best_accuracy = self.epoch",
)
progress.fault("wrong reduction", '"train_loss": sum(roles.values())', '"train_loss": max(roles.values())')
progress.fault("wrong reduction", "v / images for k, v", "v for k, v")
progress.fault("swapped part", 'self.sums.get("correct", 0.0) / images', 'self.sums.get("images", 0.0) / images')
progress.fault("dropped call", "self.epoch + 1, 0, {}", "self.epoch + 1, 0, self.sums")
progress.fault("off-by-one", "self.epoch + 1, 0, {}", "self.epoch + 1, 1, {}")
progress.fault("dropped call", "        self.history.append(row)\n", "        self.history = [row]\n")
progress.fault("sign", 'if set(roles) == {"class"}:', 'if set(roles) != {"class"}:')

cache = Source(
    T + "feature_cache.py",
    "tests/training/test_feature_cache.py",
    "tests/plugins/bcnn/test_runs.py",
    "tests/plugins/bcnn/test_method.py",
)
cache.fault("index", "keys[0][0] % self.views", "0")
cache.fault("index", "[self.place[row] for row in rows]", "[self.place[row] for row in rows[::-1]]")
cache.fault("swapped part", "torch.from_numpy(self.labels[rows])", "torch.from_numpy(self.labels[: len(rows)])")
cache.fault("dropped call", "        trainee.eval()\n", "")
cache.fault("dropped call", "        trainee.train(was_training)\n", "")
cache.fault("off-by-one", "                start += len(features)\n", "                start += len(features) - 1\n")
cache.fault(
    "swapped part",
    "[(view, row) for view in range(self.views) for row in self.place]",
    "[(0, row) for view in range(self.views) for row in self.place]",
)
cache.fault("sign", "if needed > free:", "if needed < free:")
cache.fault("dropped call", "            shutil.rmtree(self.path.parent, ignore_errors=True)", "            pass")
cache.fault("dropped call", "np.abs(features).max(initial=0)", "features.max(initial=0)")

answers = Source(T + "answers.py", PREDICTIONS, "tests/training/test_predictor.py")
answers.fault("off-by-one", "TOP = 5", "TOP = 4")
answers.fault("index", "[:, : self.top]", "[:, : self.top][:, ::-1]", named="predict with the top 5 reversed")
answers.fault("swapped part", "round(float(probabilities[chosen]), 6)", "round(float(probabilities.max()), 6)")
answers.fault("dropped call", "self.calibration.probabilities(scores), self.choose", "scores, self.choose")
answers.fault("sign", "probabilities[chosen] < self.threshold", "probabilities[chosen] > self.threshold", WORK)

calibrations = Source(T + "calibrations.py", "tests/training/test_calibrations.py", WORK)
calibrations.fault("wrong reduction", "softmax(scores / temperature)", "softmax(scores * temperature)")
calibrations.fault("swapped part", "crl_link(softmax(scores), alpha, beta)", "crl_link(softmax(scores), beta, alpha)")
calibrations.fault("ignored option", '& (frame["weights"] == which)', "")
calibrations.fault("sign", "if len(roles) != 1:", "if False:")
calibrations.fault("dropped call", '.get("temperatures") or {}).get(which)', '.get("temperatures") or {}).get("last")')

predictor = Source(T + "predictor.py", "tests/training/test_predictor.py", PREDICTIONS, "tests/cli/test_predict.py")
predictor.fault(
    "swapped part",
    'self.class_names: list[str] = results["class_names"]',
    'self.class_names: list[str] = results["class_names"][::-1]',
    named="predict with the class names reversed",
)
predictor.fault("ignored option", 'weights or results["headline"]', '"last"')
predictor.fault("ignored option", '**order_of(results["data"])', "ordered=False")
predictor.fault(
    "ignored option",
    "convert=self.recipe.convert_images if convert is None else convert",
    "convert=self.recipe.convert_images",
    "tests/cli/test_predict.py",
)
predictor.fault(
    "ignored option",
    "convert=self.recipe.convert_images if convert is None else convert",
    "convert=bool(convert)",
    "tests/cli/test_predict.py",
)
predictor.fault(
    "dropped call",
    "memory_format=self.scorer.memory_format).eval()",
    "memory_format=self.scorer.memory_format)",
    "tests/cli/test_predict.py",
)
predictor.fault(
    "dropped call",
    "        if run.loss_weights(which).is_file():\n",
    "        if False:\n",
    "tests/cli/test_losses_train.py::test_every_loss_trains_and_predicts[em-softmax]",
    "tests/cli/test_losses_train.py",
)
predictor.fault(
    "ignored option",
    "EvalTransform(image_settings(self.recipe))",
    'EvalTransform(image_settings(self.recipe.replace(views="single")))',
)
predictor.fault(
    "dropped call",
    "checkpoint.load_weights_file(run.checked(run.weights(which)))",
    "checkpoint.load_weights_file(run.weights(which))",
    "tests/cli/test_integrity.py::test_every_file_of_a_finished_run_is_guarded",
)

explain = Source(T + "explain.py", "tests/training/test_explain.py", PREDICTIONS, "tests/cli/test_explain.py")
explain.fault("index", "order[:3]", "order[-3:]")
explain.fault("ignored option", "chosen if class_name is None else names.index(class_name)", "chosen")
explain.fault(
    "swapped part",
    "Explanation(names[chosen], top, names[explained]",
    "Explanation(names[explained], top, names[chosen]",
)
explain.fault("index", "[0, label]", "[0, 0]")
explain.fault("wrong reduction", "slopes.mean((2, 3), keepdim=True)", "slopes.amax((2, 3), keepdim=True)")
explain.fault("dropped call", ".sum(1, keepdim=True).relu()", ".sum(1, keepdim=True).abs()")
explain.fault("wrong reduction", "* maps).sum(1, keepdim=True)", "* maps).amax(1, keepdim=True)")
explain.fault("wrong reduction", "heat / heat.max().clamp_min(1e-12)", "heat")
explain.fault("index", "output[:, -side * side :]", "output[:, : side * side]")
explain.fault("swapped part", "(x * scale, y * scale, text)", "(y * scale, x * scale, text)")
explain.fault("dropped call", "(x * scale, y * scale, text)", "(x, y, text)")
explain.fault("sign", "image * std + mean", "image * std - mean")
explain.fault("ignored option", "max(settings.image_size, SHOWN_PIXELS)", "settings.image_size")
explain.fault(
    "ignored option",
    "convert=predictor.recipe.convert_images",
    "convert=False",
    "tests/cli/test_predict.py::test_a_run_that_converted_pictures_goes_on_doing_so",
)

checkpoint = Source(T + "checkpoint.py", "tests/training/test_checkpoint.py", "tests/cli/test_integrity.py")
checkpoint.fault("dropped call", "trailer.startswith(MAGIC) and trailer != _trailer(payload)", "False")
checkpoint.fault("dropped call", "        files.keep_as(path, previous(path))\n", "        pass\n")
checkpoint.fault("ignored option", "if keep_previous and path.is_file():", "if path.is_file():")
checkpoint.fault("sign", "weights_only=True)\n", "weights_only=False)\n")
checkpoint.fault("sign", 'state.get("format") != FORMAT', 'state.get("format") == FORMAT')
checkpoint.fault("swapped part", "return load(before), f", "return load(path), f")
checkpoint.fault("sign", 'or "could run code" in str(error)', "or False")
checkpoint.fault("dropped call", "    if not trailer.startswith(MAGIC):\n", "    if False:\n")

committed = Source(T + "committed.py", "tests/training/test_committed.py", "tests/cli/test_integrity.py")
committed.fault("dropped call", 'if sha256_of(path) != expected.get("sha256"):', "if False:")
committed.fault(
    "dropped call",
    'if path.stat().st_size != expected.get("bytes"):',
    "if False:",
    why_equivalent="a file of another size has another checksum; the size only says it sooner and better",
)
committed.fault("sign", "if not path.is_file():", "if path.is_file():")
committed.fault("ignored option", 'name not in listed and name.startswith("checkpoints/")', "False")
committed.fault("ignored option", "path.parts[0] not in LEFT_OUT and", "")
committed.fault("ignored option", "if name not in listed else file_problem", "if False else file_problem")
committed.fault(
    "dropped call",
    '    if record.get("format") != FORMAT or not isinstance(listed, dict):',
    "    if not isinstance(listed, dict):",
)

ranges = Source(T + "ranges.py", "tests/training/test_ranges.py")
ranges.fault("off-by-one", "value >= self.low if self.low_closed", "value > self.low if self.low_closed")
ranges.fault("off-by-one", "value <= self.high if self.high_closed", "value < self.high if self.high_closed")
ranges.fault("wrong reduction", "above and below and", "(above or below) and")
ranges.fault(
    "sign",
    "(r.mixup > 0 or r.cutmix > 0) and r.batch_size % 2 == 1",
    "(r.mixup > 0 or r.cutmix > 0) and r.batch_size % 2 == 0",
)
ranges.fault("ignored option", "(r.mixup > 0 or r.cutmix > 0) and", "r.mixup > 0 and")
ranges.fault("off-by-one", "r.warmup_epochs >= r.epochs > 0", "r.warmup_epochs > r.epochs > 0")
ranges.fault("sign", "r.early_stopping > 0 and r.val_fraction == 0", "r.early_stopping > 1 and r.val_fraction == 0")
ranges.fault("ignored option", '"val_fraction": Range(0, 0.5)', '"val_fraction": Range(0, 1.0)')
ranges.fault("off-by-one", "len(r.decay_epochs) != 1", "len(r.decay_epochs) > 1")
ranges.fault("dropped call", "*_without_range(recipe), ", "")
ranges.fault("ignored option", "SHARE = Range(0, 1, high_closed=False)", "SHARE = Range(0, 1)")

stages = Source(T + "stages.py", "tests/training/test_stages.py", "tests/plugins/bcnn/test_method.py")
stages.fault("off-by-one", "self.first + self.recipe.epochs", "self.first + self.recipe.epochs - 1")
stages.fault("index", "placed[-1].end if placed else 0", "placed[0].end if placed else 0")
stages.fault("ignored option", "recipe.replace(**stage.settings)", "recipe")
stages.fault("dropped call", "        if own.epochs > 0:\n", "        if True:\n")
stages.fault("dropped call", "        if wrong:\n", "        if False:\n")

device = Source(T + "device.py", "tests/training/test_device.py", MEANS)
device.fault("dropped call", "    torch.manual_seed(state)\n", "")
device.fault("dropped call", "    np.random.seed(state)\n", "")
device.fault(
    "ignored option",
    'torch.channels_last if name == "channels_last"',
    'torch.contiguous_format if name == "channels_last"',
)
device.fault("index", "np.random.SeedSequence(key)", "np.random.SeedSequence(key[:1])")

sanity = Source(T + "sanity.py", "tests/training/test_sanity.py", "tests/cli/test_finetune.py")
sanity.fault("sign", 'abs(sum(losses.values())) < float("inf")', 'sum(losses.values()) < float("inf")')
sanity.fault("sign", "torch.isfinite(parameter).all()", "torch.isfinite(parameter).any()")

run_folder = Source(T + "run_folder.py", "tests/training/test_run_folder.py", "tests/cli/test_integrity.py")
run_folder.fault("sign", 'and asked.get(key) != "auto"', "")
run_folder.fault("dropped call", "        if changed:\n", "        if False:\n")
run_folder.fault(
    "dropped call", "            committed.check_file(self.folder", "            (lambda *_: None)(self.folder"
)
run_folder.fault("sign", "        if number != FORMAT:", "        if False:")
run_folder.fault("ignored option", "        if not resume:\n", "        if False:\n")
run_folder.fault("swapped part", 'f"model_{which}.safetensors"', '"model_last.safetensors"', MEANS)

dry_run = Source(T + "dry_run.py", "tests/training/test_dry_run.py", "tests/cli/test_finetune.py")
dry_run.fault(
    "index",
    "return times[-1], losses",
    "return times[0], losses",
    why_equivalent="which of two measured times is said is no result; tests don't time",
)
dry_run.fault("ignored option", "if p.requires_grad),", "),")
dry_run.fault("ignored option", "placed.stage.cached_views or placed.recipe.epochs", "placed.recipe.epochs")
dry_run.fault("sign", "v - before.get(k, 0.0) for k, v", "v + before.get(k, 0.0) for k, v")

trainee = Source(T + "trainee.py", MEANS, "tests/cli/test_losses_train.py")
trainee.fault(
    "swapped part",
    "return self.method.scores(self.model, self.criteria, images)",
    "return self.model(images).features",
    MEANS,
)

rates = Source(T + "optim.py", "tests/training/test_optim.py")
rates.fault("swapped part", '"part": "head" if in_head else "backbone"', '"part": "backbone" if in_head else "head"')
rates.fault(
    "dropped call", 'return {"lr": lr} if head_lr == lr else {"lr": lr, "head_lr": head_lr}', 'return {"lr": head_lr}'
)

watched = Source(T + "watched.py", YEARS)
watched.fault("sign", "1 / (1 + float(error))", "1 + float(error)")
watched.fault("ignored option", "truth.scale, decoder)", 'truth.scale, "argmax")')
watched.fault("wrong reduction", "np.mean(answers.errors)", "np.max(answers.errors)")
scorer.fault("ignored option", '"mean" if years else "argmax"', '"argmax"', YEARS)
answers.fault("dropped call", "self.calibration.probabilities(scores), self.scale", "scores, self.scale", YEARS)
predictor.fault("dropped call", "    if not np.isfinite(interval.radius):\n", "    if False:\n", YEARS)

speed = Source(T + "speed.py", "tests/training/test_speed.py")
speed.fault("dropped call", "key=lambda timing: (timing.refused, timing.seconds)", "key=lambda timing: timing.seconds")
speed.fault("dropped call", "(timing.refused, timing.of_run(steps))", "timing.of_run(steps)")
speed.fault("swapped part", "(timing.refused, timing.of_run(steps))", "(timing.refused, timing.seconds)")
speed.fault("off-by-one", "torch.get_num_threads() // 2", "torch.get_num_threads()")
speed.fault("ignored option", 'threads == "auto" and device.type == "cpu"', "False")
speed.fault("ignored option", 'if recipe.compile == "auto":', "if False:")
speed.fault(
    "swapped part", "replace(self.best().setting, compile=True)", "replace(next(iter(self.seconds)), compile=True)"
)
speed.fault("dropped call", "with _the_same_chance() if is_random else", "with")
speed.fault(
    "swapped part",
    "gradients(model, setting, self.batch), whole)",
    "gradients(self.model, setting, self.batch), whole)",
)
speed.fault("wrong reduction", "cosine, compile_seconds)", "cosine)")
speed.fault("dropped call", "        score(model, setting, self.batch)\n", "")
timing = Source(T + "timing.py", "tests/training/test_speed.py")
timing.fault("sign", "or not self.cosine >= LEAST_COSINE", "or False")
timing.fault("sign", "or not self.cosine >= LEAST_COSINE", "or self.cosine < LEAST_COSINE")
timing.fault("dropped call", "bool(self.failure) or", "")
timing.fault("dropped call", "self.compile_seconds + steps * self.seconds", "steps * self.seconds")
timing.fault("ignored option", "seed_step(seed)", "seed_step(0)")
timing.fault("dropped call", "    seed_step(seed)\n", "")
timing.fault("dropped call", "        torch.set_num_threads(before)\n", "        pass\n")
timing.fault("ignored option", "torch.set_num_threads(threads or before)", "torch.set_num_threads(before)")
timing.fault(
    "dropped call", "    model.to(memory_format=memory_format(setting.memory_format))\n    batch = ", "    batch = "
)
speed.fault(
    "wrong reduction", "        squares += float(a.square().sum())\n", "        squares = float(a.square().sum())\n"
)
speed.fault("swapped part", "float(b.square().sum())", "float(a.square().sum())")

trackers = Source(T + "trackers.py", "tests/training/test_trackers.py")
trackers.fault("off-by-one", "log(figures(row), step=epoch)", "log(figures(row), step=epoch + 1)")
trackers.fault("dropped call", "            self.tracker.store_init_configuration(_settings(recipe))\n", "")
trackers.fault("dropped call", "        board.finish()\n", "        pass\n")
trackers.fault("ignored option", "    if is_main:\n", "    if True:\n")
trackers.fault("swapped part", "str(folder).encode()", "folder.parent.name.encode()")

sittings = Source(T + "sittings.py", "tests/training/test_sittings.py")
sittings.fault("index", 'sittings[-1] |= {"ended"', 'sittings[0] |= {"ended"')
sittings.fault("dropped call", "sittings = read(folder)\n    sittings.append(", "sittings = []\n    sittings.append(")
sittings.fault("sign", '", changed since" if _git(', '", changed since" if not _git(')
sittings.fault("off-by-one", "_most_resident() // 2**20", "_most_resident() // 2**40")

interruption = Source(T + "interruption.py", "tests/training/test_interruption.py")
interruption.fault("dropped call", "        if lost.exc_type is not Interrupted:\n", "        if True:\n")
interruption.fault("dropped call", "        if not self._held and self._pending is not None:\n", "        if False:\n")
interruption.fault("dropped call", "            sys.unraisablehook = self._told_before\n", "            pass\n")

sizes = Source(T + "input_size.py", "tests/training/test_input_size.py")
sizes.fault("ignored option", "if config and config.fixed_input_size else {}", "if config else {}")
sizes.fault("dropped call", "    net.train(was_training)\n", "")
sizes.fault("dropped call", 'if image_size % patch and hasattr(net, "patch_embed"):', "if False:")
sizes.fault("dropped call", "adapted: dict[str, Tensor] = adapt(dict(state), model)", "adapted = dict(state)")
sizes.fault(
    "index",
    "patch[0] if isinstance(patch, tuple | list) else patch",
    "patch[1] if isinstance(patch, tuple | list) else patch",
    why_equivalent="every patch of timm's is a square",
)
sizes.fault("off-by-one", "below = image_size // patch * patch", "below = (image_size // patch - 1) * patch")

sources = Source(T + "weights_source.py", "tests/training/test_weights_source.py", "tests/training/test_backbone.py")
sources.fault("dropped call", "None, path.name, sha256_of(path))", "None, path.name, None)")
sources.fault("dropped call", ' + (f".{tag}" if tag else "")', "")
sources.fault("swapped part", 'f"hf-hub:{hub}" if hub else url', "url")
sources.fault("dropped call", "    if path is None and hub:\n        path = _cached_from_url(url)\n", "")

card = Source(T + "model_card.py", "tests/training/test_model_card.py")
card.fault("swapped part", '"selected" if results["headline"] == "selected" else "last"', '"last"')
card.fault("swapped part", '(predictions["part"] == "test")', '(predictions["part"] == "val")')
card.fault("ignored option", 'results["protocol"].get("decoder", "argmax")', '"argmax"')
card.fault(
    "swapped part",
    "{figure.show(one.low)} to {figure.show(one.high)}",
    "{figure.show(one.high)} to {figure.show(one.low)}",
)
card.fault("sign", "right = scores.predicted == scores.labels", "right = scores.predicted != scores.labels")
card.fault("ignored option", "people = clusters(rows).to_numpy(dtype=str)", 'people = rows["id"].to_numpy(dtype=str)')

speeds = Source(T + "known_speeds.py", "tests/training/test_known_speeds.py", "tests/training/test_speed.py")
speeds.fault(
    "ignored option",
    '        "sizes": [recipe.batch_size, recipe.image_size],\n',
    '        "sizes": [recipe.batch_size],\n',
)
speeds.fault("ignored option", '        "threads": torch.get_num_threads(),\n', "")
speeds.fault("ignored option", '        "loss": recipe.loss.as_dict(),\n', "")
speeds.fault("ignored option", "[recipe.weights, _version_of(Path(recipe.weights))]", "[recipe.weights]")
speeds.fault("ignored option", "[recipe.precision, recipe.memory_format, recipe.compile]", "[recipe.precision]")
speeds.fault("ignored option", "recipe.memory_format, recipe.compile]", "recipe.memory_format]")
speeds.fault("ignored option", ' | {"asked threads": threads}', "")
speeds.fault("wrong reduction", '"network": _network(trainee),', '"network": recipe.backbone,')
speeds.fault(
    "dropped call", "with contextlib.suppress(FinegrainedError, ValueError):", "with contextlib.nullcontext():"
)

batches = Source(T + "input_batches.py", WORK, "tests/cli/test_every_flag.py", "tests/cli/test_predict.py")
batches.fault("ignored option", "predictor.reader(inputs.items, convert=convert)", "predictor.reader(inputs.items)")
batches.fault(
    "ignored option",
    "_of_stream(source, views, batch_size, every, most)",
    "_of_stream(source, views, batch_size, 1, most)",
)
batches.fault("ignored option", "frames(source, every=every, most=most)", "frames(source, every=every)")
batches.fault("swapped part", "batch_size=1 if is_camera(source) else batch_size", "batch_size=batch_size")
batches.fault("dropped call", "    for source in inputs.streams:\n", "    for source in ():\n")
batches.fault(
    "sign",
    "len(views) > FEW * batch_size else 0",
    "len(views) < FEW * batch_size else 0",
    "tests/cli/test_predict_at_work.py::test_a_few_pictures_are_read_without_other_processes",
)

compilation = Source(T + "compilation.py", "tests/training/test_compilation.py")
compilation.fault("ignored option", 'mode="reduce-overhead" if graphs else None', "mode=None")
compilation.fault("off-by-one", "if recipe.accumulate > 1:", "if recipe.accumulate > 2:")
compilation.fault("sign", 'if device.type != "cuda":', 'if device.type == "cuda":')
compilation.fault("dropped call", "    if not recipe.compile:\n", "    if False:\n")
