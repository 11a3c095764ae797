"""Faults on the way from a run to other programs, the hub, other data and other runs."""

from faults import Source

E, K, R = "finegrained_crl/export/", "finegrained_crl/cli/", "finegrained_crl/reports/"
EXPORT, PUSH = "tests/cli/test_export.py", "tests/cli/test_push.py"
EVALUATE, COMPARE = "tests/cli/test_evaluate.py", "tests/cli/test_compare.py"

network = Source(E + "network.py", EXPORT)
network.fault("sign", "-mean / std", "mean / std")
network.fault("wrong reduction", "1 / (255 * std)", "1 / std")
network.fault("ignored option", "recipe.eval_resize_ratio)", "1.0)")
network.fault("swapped part", '"class_names": predictor.class_names', '"class_names": predictor.class_names[::-1]')
network.fault("swapped part", '"both" if recipe.resize == "squash" else "short"', '"short"')
network.fault("dropped call", "ScoringNetwork(predictor).eval()", "ScoringNetwork(predictor).train()")
network.fault("ignored option", '"decoder": predictor.scorer.decoder', '"decoder": "argmax"')

parity = Source(E + "parity.py", "tests/export/test_parity.py", EXPORT)
parity.fault("wrong reduction", "float(np.abs(expected - answered).max())", "float(np.abs(expected - answered).min())")
parity.fault(
    "wrong reduction", "(expected.argmax(1) == answered.argmax(1))", "(expected.argmax(1) == expected.argmax(1))"
)
parity.fault(
    "sign", "100 * (self.run_accuracy - self.exported_accuracy)", "100 * (self.exported_accuracy - self.run_accuracy)"
)
parity.fault("swapped part", "for scores in (expected, answered)]", "for scores in (answered, expected)]")
parity.fault("off-by-one", "range(0, len(pixels), BATCH)", "range(0, len(pixels) - BATCH, BATCH)")
parity.fault("dropped call", "has_labels = bool((labels >= 0).all())", "has_labels = True")

exporting = Source(E + "exporting.py", "tests/export/test_exporting.py", EXPORT)
exporting.fault("dropped call", '        _require(checks["float32"])\n', "")
exporting.fault(
    "ignored option", "formats.write_onnx(predictor, folder, options.opset)", "formats.write_onnx(predictor, folder)"
)
exporting.fault("ignored option", "    if options.half:\n", "    if False:\n")
exporting.fault("ignored option", 'if smaller and options.kind != "onnx":', "if False:")
exporting.fault("dropped call", "    if len(smaller) > 1:\n", "    if False:\n")
exporting.fault(
    "dropped call", '        files.write_json(folder / "preprocessing.json", preprocessing(predictor))\n', ""
)
exporting.fault("dropped call", '        files.write_bytes(folder / "model_card.md", ', "        (lambda *_: None)(0, ")

pictures = Source(E + "pictures.py", EXPORT)
pictures.fault("swapped part", '(frame["part"] == "test")', '(frame["part"] == "val")')
pictures.fault("sign", 'rows = frame[~frame["id"].isin(evaluated)]', 'rows = frame[frame["id"].isin(evaluated)]')
pictures.fault("swapped part", "permute(0, 3, 1, 2)", "permute(0, 3, 2, 1)")
pictures.fault("index", "batch.images[:, 0]", "batch.images[:, -1]", why_equivalent="the checked views begin alike")
pictures.fault("ignored option", "min(count, len(rows))", "len(rows)")
pictures.fault("dropped call", "        if batch.errors:\n            raise FinegrainedError(batch.errors[0][1])\n", "")

smaller = Source(E + "smaller.py", "tests/export/test_smaller.py")
smaller.fault("sign", "if _BACKBONE not in name}", "if _BACKBONE in name}")
smaller.fault("dropped call", "    if added == weights:\n        return set()\n", "")
smaller.fault("ignored option", '("model.", "losses.")', '("model.",)')
smaller.fault("dropped call", "            added |= set(node.output)\n", "            pass\n")
smaller.fault("dropped call", "        model.metadata_props.add(key=key, value=value)\n", "        pass\n")
smaller.fault("dropped call", "    prepared.unlink()\n", "")
smaller.fault("ignored option", "keep_io_types=True", "keep_io_types=False")

formats = Source(E + "formats.py", EXPORT)
formats.fault("dropped call", "    if model.opset_import[0].version != opset:\n", "    if False:\n")
formats.fault("ignored option", 'dynamic_shapes={"pixels": {0: torch.export.Dim("batch")}},', "")
formats.fault("dropped call", "        model.metadata_props.add(key=key, value=json.dumps(value))\n", "        pass\n")

timm_folder = Source(E + "timm_folder.py", EXPORT, PUSH)
timm_folder.fault("ignored option", '"crop_pct": recipe.image_size / side', '"crop_pct": 1.0')
timm_folder.fault("ignored option", '"squash" if recipe.resize == "squash" else "center"', '"center"')
timm_folder.fault("swapped part", '"mean": model.mean', '"mean": model.std')
timm_folder.fault("ignored option", '"label_names": predictor.class_names', '"label_names": None')
timm_folder.fault(
    "dropped call", "return isinstance(model, TimmClassifier) and not owns", "return isinstance(model, TimmClassifier)"
)

hub = Source(E + "hub.py", PUSH)
hub.fault("ignored option", "private=private, exist_ok=True", "private=False, exist_ok=True")
hub.fault("ignored option", "private=private, exist_ok=True", "private=private, exist_ok=False")
hub.fault(
    "dropped call",
    "_recipe_without_paths(read_regular(run.checked(run.recipe)).decode())",
    "read_regular(run.recipe).decode()",
)
hub.fault("dropped call", '    if "/" not in name:\n', "    if False:\n")
hub.fault("swapped part", "hf-hub:{name}", "hf-hub:model")
hub.fault(
    "dropped call",
    '        if criteria:\n            checkpoint.save_weights(folder / "loss.safetensors", criteria)\n',
    "",
)
hub.fault("dropped call", "    if status in (401, 403)", "    if status in (999,)")

push = Source(K + "push.py", PUSH)
push.fault("ignored option", "None if arguments.dry_run else hub.upload", "hub.upload")
push.fault("ignored option", "private=arguments.private", "private=False")
push.fault("ignored option", "weights=arguments.weights", "weights=None")
push.fault("dropped call", "    hub.check_name(arguments.name)\n", "")

export = Source(K + "export.py", EXPORT)
export.fault("ignored option", "items[:count]", "items")
export.fault("ignored option", "weights=arguments.weights", "weights=None")
export.fault("dropped call", "    at_once.require_absent(out)\n", "    pass\n")

evaluation = Source("finegrained_crl/training/evaluation.py", EVALUATE)
evaluation.fault("sign", "rows = rows[labels[rows] >= 0]", "rows = rows[labels[rows] > 0]")
evaluation.fault(
    "ignored option", 'split = recipe.split or ("test" if "test" in splits else ALL)', 'split = recipe.split or "test"'
)
evaluation.fault("ignored option", "table.assign(label=labels)", "table.copy()")
evaluation.fault("dropped call", '        "denominator": count,\n', "")
evaluation.fault("ignored option", '"views": recipe.views,', "")
evaluation.fault("swapped part", "classes.unmatched_in_run", "classes.unmatched_in_data")
evaluation.fault(
    "sign",
    'stored.pictures[~stored.pictures["id"].isin(evaluated)]',
    'stored.pictures[stored.pictures["id"].isin(evaluated)]',
)
evaluation.fault("swapped part", "KEYS[predictor.which]", 'KEYS["last"]')
evaluation.fault("ignored option", "EvalTransform(image_settings(recipe))", "predictor.transform")
evaluation.fault("dropped call", "            run.commit()\n", "            pass\n")

evaluation.fault("dropped call", '    about.pop("face_crop", None)\n', "", "tests/cli/test_predict_faces.py")
evaluation.fault(
    "swapped part",
    '"" if margins[0] == margins[1] else',
    '"" if trained is None else',
    "tests/cli/test_predict_faces.py",
)

class_map = Source("finegrained_crl/data/class_map.py", "tests/data/test_class_map.py", EVALUATE)
class_map.fault(
    "swapped part",
    'zip(kept["data_class"], kept["run_class"], strict=True)',
    'zip(kept["run_class"], kept["data_class"], strict=True)',
)
class_map.fault("ignored option", 'str(file) if file else "by name"', '"by name"')
class_map.fault("dropped call", "    if doubled.any():\n", "    if False:\n")
class_map.fault("dropped call", "    if (labels < 0).all():\n", "    if False:\n")

evaluate = Source(K + "evaluate.py", EVALUATE)
evaluate.fault("ignored option", "weights=parsed.weights", "weights=None")
evaluate.fault("ignored option", '"views": parsed.views or own.views', '"views": own.views')
evaluate.fault("ignored option", 'changes["pictures_per_class"] = 0', "pass")
evaluate.fault("ignored option", "parsed.convert_images or own.convert_images", "own.convert_images")

side = Source(R + "side_by_side.py", COMPARE, EVALUATE)
side.fault("swapped part", 'part.which == results["headline"]]', "True]")
side.fault("dropped call", "if len(pictures) > 1 or len(prints) > 1:", "if False:")
side.fault("off-by-one", "len(set(map(str, values.values()))) > 1", "len(set(map(str, values.values()))) > 0")
side.fault("ignored option", "name if short.count(name) == 1 else str(folder)", "name")
side.fault("swapped part", 'f"{key}.{option}".rstrip("."): setting', 'f"{option}".rstrip("."): setting')
side.fault(
    "wrong reduction",
    'dict(zip(("value", "low", "high"), ends, strict=True))',
    'dict(zip(("value", "high", "low"), ends, strict=True))',
)

compare = Source(K + "compare.py", COMPARE)
compare.fault("ignored option", "    if parsed.curves:\n        from", "    if False:\n        from")
compare.fault("dropped call", "if parsed.curves and Path(parsed.curves).suffix not in PICTURES:", "if False:")
compare.fault("dropped call", '    for note in told["notes"]:\n', "    for note in ():\n")

across = Source(R + "across_data.py", EVALUATE)
across.fault("swapped part", 'part.which == results["headline"]]', "True]")
across.fault("dropped call", "        if len(values) > 1:\n            notes", "        if False:\n            notes")
across.fault(
    "swapped part", '"no picture of": row["classes_without_pictures"]', '"no picture of": row["unknown_classes"]'
)
across.fault("dropped call", '        notes += [f"{Path(row', '        [f"{Path(row')
across.fault("dropped call", "return len(measured) > 1 and any", "return any")
across.fault(
    "swapped part",
    "by_run.setdefault(name, {})[_where(row)] = _shown(row)",
    "by_run.setdefault(name, {})[columns[0]] = _shown(row)",
)
across.fault("wrong reduction", 'sum(told.get("left_out", {}).values())', 'len(told.get("left_out", {}))')

evaluate.fault(
    "swapped part", '{"split": own.split, "fold": own.fold} if is_own', '{"split": None, "fold": None} if is_own'
)
evaluate.fault("ignored option", "stored = own.dataset.options if name == own.dataset.name else {}", "stored = {}")
evaluate.fault("wrong reduction", "pictures = sum(left_out.values())", "pictures = len(left_out)")

card = Source(E + "card.py", "tests/export/test_card.py")
card.fault("swapped part", '"both sides" if resize["side"] == "both" else "the short side"', '"the short side"')
card.fault("ignored option", "its decoder: {facts['decoder']}", "its decoder: argmax")
card.fault("dropped call", '(REGISTER if kind == "timm" and needs_registration(predictor) else "")', '""')
card.fault("sign", 'normalises" if kind == "timm" else', 'normalises" if kind != "timm" else')
pictures.fault("index", "np.linspace(0, len(rows) - 1, min", "np.linspace(0, min(count, len(rows)) - 1, min")
pictures.fault("dropped call", '    if (rows["split"] == "train").any():\n', "    if False:\n")
