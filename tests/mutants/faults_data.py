"""Faults in data: which pictures learn, in which order, how they look, and what is told of them."""

from faults import Source

D = "finegrained_crl/data/"
MEANS = "tests/meaning/test_training_means.py"

folds = Source(D + "folds.py", "tests/data/test_folds.py", "tests/data/test_seeded_folds.py")
folds.fault(
    "swapped part",
    "_rows(folds.notna() & ~chosen), _rows(folds.isna() & False), _rows(chosen)",
    "_rows(chosen), _rows(folds.isna() & False), _rows(folds.notna() & ~chosen)",
)
folds.fault("sign", "folds.eq(fold).fillna(False)", "folds.ne(fold).fillna(False)")
folds.fault("dropped call", "folds.notna() & ~chosen", "~chosen")
folds.fault(
    "swapped part",
    '_rows(splits.eq("train")), _rows(validation), _rows(splits.eq(held_out))',
    "_rows(splits.ne(held_out)), _rows(validation), _rows(splits.eq(held_out))",
)
folds.fault("ignored option", 'split or ("test"', '("test"')
folds.fault("dropped call", 'splits.eq("val") & (held_out != "val")', 'splits.eq("val")')
folds.fault("ignored option", 'if "test" in existing or "val" not in existing else "val"', 'if True else "val"')
folds.fault("ignored option", "classes, groups, fraction, seed)", "classes, groups, fraction, 0)")
folds.fault("ignored option", "classes, groups, fraction, seed)", "classes, groups, 0.5, seed)")
folds.fault("swapped part", "return rows[keep], rows[cut]", "return rows[cut], rows[keep]")
folds.fault("dropped call", "    if digests is not None:\n", "    if False:\n")
folds.fault("ignored option", "*(identities(column) for column in columns.values())", "*()")
folds.fault("dropped call", 'groups_of(records.root, table["path"], columns)', 'table["path"].reset_index(drop=True)')
folds.fault("swapped part", "    if groups.is_unique:\n", "    if True:\n")
folds.fault("off-by-one", "round(1 / fraction), seed)", "round(1 / fraction) + 1, seed)")
folds.fault("ignored option", "round(1 / fraction), seed)", "round(1 / fraction), 0)")
folds.fault("swapped part", "np.flatnonzero(folds != 0), np", "np.flatnonzero(folds == 0), np")
folds.fault("ignored option", "[0], num_folds, seed)", "[0], num_folds, 0)")
folds.fault("swapped part", "pd.factorize(groups)[0], num_folds", "np.arange(len(groups)), num_folds")

even = Source(D + "group_folds.py", "tests/data/test_group_folds.py", "tests/data/test_seeded_folds.py")
even.fault("ignored option", "shuffle=True, random_state=seed", "shuffle=True, random_state=0")
even.fault("ignored option", "np.random.default_rng(seed)", "np.random.default_rng(0)")
even.fault(
    "swapped part",
    "splitter.split(np.zeros(len(classes)), classes, groups)",
    "splitter.split(np.zeros(len(classes)), groups, classes)",
)
even.fault("index", "return chosen[groups]", "return chosen[classes]")
even.fault("sign", "np.argsort(-spread", "np.argsort(spread")
even.fault("wrong reduction", "min(costs) + SAME", "max(costs) + SAME")
even.fault("dropped call", "min(candidates, key=self.all_rows.__getitem__)", "candidates[0]")
even.fault("off-by-one", "weight = 2 * count / number", "weight = count / number")
even.fault("dropped call", "            rows[best] += count\n", "")
even.fault("sign", "<= MOST_ENTRIES", ">= MOST_ENTRIES")

shard = Source(D + "tar_shards.py", "tests/data/test_tar_shards.py", "tests/datasets/test_webdataset.py")
shard.fault(
    "dropped call",
    "    file.seek(member.start)\n        content = file.read(member.size)\n    if",
    "    content = file.read(member.size)\n    if",
)
shard.fault("index", "Member(info.offset_data, info.size)", "Member(info.offset, info.size)")
shard.fault("dropped call", "info.isreg() and not info.issparse()", "True")
shard.fault("swapped part", "folder + slash + stem, extension.lower()", "stem, extension.lower()")
shard.fault("dropped call", "extension.lower()", "extension")
shard.fault("sign", "if info.offset_data + info.size > size:", "if info.offset_data + info.size < 0:")
shard.fault("ignored option", "(state.st_size, state.st_mtime_ns, state.st_ino) if state else None", "None")
shard.fault("sign", "if key not in _INDEXES:", "if True:")
shards = Source("datasets/finegrained_crl_datasets/webdataset.py", "tests/datasets/test_webdataset.py")
shards.fault("dropped call", '"test" if part == "val" else part', "part")
shards.fault("sign", 'alone = "test" not in', 'alone = "test" in')
shards.fault("index", "int(_plain_number(label)) for", "int(_plain_number(label)) % 2 for")
shards.fault("swapped part", "tuple(sorted(distinct))", "tuple(dict.fromkeys(labels))")
shards.fault("ignored option", "_note(data / shard, sample, self.label)", '_note(data / shard, sample, "cls")')
shards.fault("ignored option", "sample, self.subject)", "sample, self.label)")
shards.fault("off-by-one", "range(len(numbers))", "range(len(numbers) + 1)")
shards.fault("dropped call", '(label.lstrip("0") or "0")[:18]', "label[:18]")
shards.fault("dropped call", "{NO_PICTURE: without} if without else {}", "{}")
folds.fault("off-by-one", "per_class.min() < 2", "per_class.min() < 1")
folds.fault("off-by-one", "if held_out < len(per_class):", "if held_out + 1 < len(per_class):")
folds.fault("dropped call", '    require_every_class(records, parts.train, "training")\n', "")
folds.fault("sign", "    if not records.ordered:\n", "    if records.ordered:\n")
folds.fault("dropped call", "    if fold is not None and split is not None:\n", "    if False:\n")

loading = Source(D + "loading.py", "tests/data/test_loading.py", MEANS)
loading.fault(
    "ignored option", "np.random.default_rng((self.seed, self.epoch))", "np.random.default_rng((0, self.epoch))"
)
loading.fault(
    "ignored option", "np.random.default_rng((self.seed, self.epoch))", "np.random.default_rng((self.seed, 0))"
)
loading.fault("ignored option", "size=len(self.rows), p=self.weights", "size=len(self.rows)")
loading.fault("index", "batch[self.rank :: self.world]", "batch[:: self.world]")
loading.fault("index", "range(self.start, self.start + len(self))", "range(len(self))")
loading.fault("off-by-one", "order[step * whole : (step + 1) * whole]", "order[step * whole : (step + 1) * whole - 1]")
loading.fault("index", "yield [(self.epoch, int(row))", "yield [(0, int(row))")
loading.fault("sign", "weights = 1.0 / counts[labels]", "weights = counts[labels]")
loading.fault("wrong reduction", "weights / weights.sum()", "weights / weights.max()")
loading.fault("index", "[(0, int(row)) for row in rows]", "[(0, int(row)) for row in sorted(rows)][::-1]")
loading.fault("index", "t.vary(image, epoch, row) if", "t.vary(image, 0, row) if")
loading.fault("index", "(t.seed, epoch, row, 1)", "(t.seed, 0, row, 1)")
loading.fault("index", "int(self.labels[row])", "int(self.labels[0])")
loading.fault("ignored option", "convert=self.convert, least", "convert=False, least")
loading.fault("dropped call", "            if isinstance(batch, FinegrainedError):\n                raise batch\n", "")
loading.fault("off-by-one", "min(8, cores) if on_gpu else min(4, cores // 2)", "cores")
loading.fault(
    "dropped call", "        if isinstance(item, FinegrainedError):\n            return item\n", "        pass\n"
)

transforms = Source(D + "transforms.py", "tests/data/test_transforms.py", MEANS)
transforms.fault("sign", "    if s.hflip:\n", "    if not s.hflip:\n")
transforms.fault("ignored option", "A.HorizontalFlip(p=s.hflip)", "A.HorizontalFlip(p=1.0)")
transforms.fault("ignored option", "A.HorizontalFlip(p=s.hflip)", "A.HorizontalFlip(p=0.5)")
transforms.fault("ignored option", "key = (self.seed, epoch, row)", "key = (0, epoch, row)")
transforms.fault("ignored option", "key = (self.seed, epoch, row)", "key = (self.seed, 0, row)")
transforms.fault("ignored option", "key = (self.seed, epoch, row)", "key = (self.seed, epoch, 0)")
transforms.fault(
    "swapped part",
    "return _resized(image, self.settings, self.settings.eval_resize_ratio)",
    "return _resized(image, self.settings, self.settings.resize_ratio)",
)
transforms.fault(
    "swapped part",
    "return _resized(image, self.settings, self.settings.resize_ratio) if",
    "return _resized(image, self.settings, self.settings.eval_resize_ratio) if",
)
transforms.fault("dropped call", "self.cut(self.prepare(image))", "self.cut(image)")
transforms.fault("dropped call", "self.vary(self.prepare(image), epoch, row)", "self.vary(image, epoch, row)")
transforms.fault("swapped part", "_preparation(s, s.resize_ratio)", "_preparation(s, s.eval_resize_ratio)")
transforms.fault(
    "swapped part",
    "_preparation(self.settings, self.settings.eval_resize_ratio)",
    "_preparation(self.settings, self.settings.resize_ratio)",
)
transforms.fault(
    "ignored option", "random_windows(self.settings, self.seed, epochs", "random_windows(self.settings, 0, epochs"
)
transforms.fault("wrong reduction", "max(self.image_size, round(self.image_size * ratio))", "self.image_size")
transforms.fault("ignored option", "scale=(s.crop_scale, 1.0)", "scale=(0.08, 1.0)")
transforms.fault("ignored option", "A.Rotate(s.rotate, border", "A.Rotate(90, border")
transforms.fault("ignored option", "border_mode=border, fill=0", "border_mode=cv2.BORDER_CONSTANT, fill=0")
transforms.fault("dropped call", "    if s.color_jitter:\n", "    if False:\n")
transforms.fault("ignored option", "jitter = s.color_jitter", "jitter = 1.0")
transforms.fault("ignored option", "p=s.erase)", "p=1.0)")
transforms.fault("dropped call", "    if s.erase:\n", "    if False:\n")
transforms.fault("dropped call", 's.resize == "squash" or s.crop_scale == 1', 's.resize == "squash"')
transforms.fault("swapped part", '    if resize == "squash":\n', '    if resize == "crop":\n')
transforms.fault("swapped part", '"black": cv2.BORDER_CONSTANT', '"black": cv2.BORDER_REFLECT_101')

windows = Source(D + "windows.py", "tests/data/test_windows.py", "tests/data/test_transforms.py", MEANS)
windows.fault("ignored option", "(share < settings.hflip)", "(share < 0.5)")
windows.fault("sign", "(share < settings.hflip)", "(share < 1)", named="a flip that always happens")
windows.fault("off-by-one", "2 * settings.pad - settings.image_size + 1", "2 * settings.pad - settings.image_size")
windows.fault("ignored option", "2 * settings.pad - settings", "settings.pad - settings")
windows.fault(
    "dropped call", "_below(widths + room, _hash(key, 2)) - settings.pad", "_below(widths + room, _hash(key, 2))"
)
windows.fault("index", "_hash(key, 2)", "_hash(key, 1)")
windows.fault("index", "_hash(key, 3)", "_hash(key, 1)")
windows.fault("ignored option", "np.full(len(rows), seed, np.uint64)", "np.full(len(rows), 0, np.uint64)")
windows.fault("dropped call", "_hash(seeds, epochs.astype(np.uint64))", "seeds")
windows.fault("off-by-one", "down // 2, right // 2", "down, right")
windows.fault("swapped part", "down // 2, right // 2", "right // 2, down // 2")
windows.fault("swapped part", "(none, none), (none, right), (down, none)", "(none, none), (none, none), (down, none)")
windows.fault("sign", "np.concatenate([plain, ~plain], axis=1)", "np.concatenate([plain, plain], axis=1)")
windows.fault("index", "out[:, ::-1] if mirrored", "out[::-1] if mirrored")
windows.fault("sign", "settings.rotate or settings.color_jitter or settings.erase", "settings.rotate or settings.erase")
windows.fault("dropped call", "top >= 0 and left >= 0 and", "")
windows.fault("off-by-one", "first - top : first - top + lines", ": lines")

store = Source(D + "picture_store.py", "tests/data/test_picture_store.py")
store.fault("dropped call", "        if sha256_of(pixels) != digest:\n            return None\n", "")
store.fault("ignored option", "{prepared}; convert {convert}", "{prepared}")
store.fault("ignored option", "store {FORMAT}; {prepared};", "store {FORMAT};")
store.fault("dropped call", "return prepare(read_image(", "return (read_image(")
normalised = Source(D + "normalise.py", "tests/data/test_normalise.py")
normalised.fault("sign", "mul(-scale)", "mul(scale)")
normalised.fault("off-by-one", "mul(255).reciprocal()", "mul(256).reciprocal()")
normalised.fault("index", "permute(0, 3, 1, 2)", "permute(0, 3, 2, 1)")
normalised.fault("dropped call", ".mul_(factors).add_(terms)", ".mul_(factors)")
normalised.fault("off-by-one", "max(1, BLOCK // ", "max(0, BLOCK // ")
normalised.fault("index", "images.flatten(0, -4)", "images[..., 0, :, :, :]")

reduced = Source(D + "transforms.py", "tests/data/test_transforms.py", "tests/data/test_loading.py")
reduced.fault("wrong reduction", "math.sqrt(0.75 * s.crop_scale)", "math.sqrt(s.crop_scale)")
reduced.fault("ignored option", "        if not s.reduced_decoding:\n", "        if False:\n")
reduced.fault("dropped call", 'f"{words}, decoded at {self.least_side} or more" if self.least_side else words', "words")
store.fault("off-by-one", "ends - heights * widths, heights", "ends, heights")
store.fault("dropped call", "    if store is not None:\n        return store\n", "")

stored = Source(D + "stored_pictures.py", "tests/data/test_stored_pictures.py")
stored.fault("index", "np.concatenate([black, store.pixels])", "np.concatenate([store.pixels, black])")
stored.fault("off-by-one", "size - 1 - steps", "size - steps")
stored.fault("dropped call", "torch.where(inside, pixels, 0)", "pixels.clamp(0, len(self.pixels) - 1)")
stored.fault("dropped call", "        if (places < 0).any():\n", "        if False:\n")
stored.fault("ignored option", " and self.per_image is None)", ")")
stored.fault("ignored option", "transform.windows(epochs, rows", "transform.windows(0 * epochs, rows")
stored.fault("index", "transform.windows(epochs, rows", "transform.windows(epochs, places")

images = Source(D + "images.py", "tests/data/test_images.py")
images.fault("ignored option", "opened.draft(None, (least_side, least_side))", "pass")
images.fault("off-by-one", "opened.draft(None, (least_side, least_side))", "opened.draft(None, (1, 1))")
images.fault("dropped call", "to_rgb(ImageOps.exif_transpose(picture))", "to_rgb(picture)")
images.fault("dropped call", "        _refuse(path, opened, convert)\n        deep", "        deep")
images.fault("ignored option", "_deep_colour(path, opened) if deep else opened", "opened")
images.fault("index", "values[..., 2::-1]", "values[..., :3]")
images.fault("swapped part", 'pil.new("RGBA", image.size, "white")', 'pil.new("RGBA", image.size, "black")')
images.fault("off-by-one", "if highest <= full), highest)", "if highest < full), highest)")
images.fault("off-by-one", "2**bits - 1 for bits", "2**bits for bits")
images.fault("wrong reduction", "255.0 / top", "255.0 / 65535.0")
images.fault(
    "dropped call", "np.round(np.clip(scaled, 0, 255, out=scaled), out=scaled)", "np.clip(scaled, 0, 255, out=scaled)"
)
images.fault("sign", 'image.format != "MPO" and', "")
images.fault("dropped call", "            if not _ends_well(path, opened.format):\n                opened.load()\n", "")
images.fault("sign", '"transparency" not in image.info and not _is_deep_colour(image)', "not _is_deep_colour(image)")
images.fault("swapped part", "top = _top(int(values.max())) if image.mode", "top = 65535 if image.mode")
images.fault("sign", '    if image.mode == "RGB" and "transparency" not in image.info:', '    if image.mode == "RGB":')

records = Source(D + "records.py", "tests/data/test_records.py", "tests/data/test_folds.py")
records.fault("off-by-one", "between(0, records.num_classes - 1)", "between(0, records.num_classes)")
records.fault("off-by-one", "(repeat + 1).astype(str)", "repeat.astype(str)")
records.fault("dropped call", "    check_records(records)\n", "")
records.fault("dropped call", "    if outside.any():\n", "    if False:\n")
records.fault("dropped call", "    if empty and records.ages is None:\n", "    if False:\n")
records.fault("sign", 'normal.startswith("../")', 'normal.startswith(".../")')
records.fault("ignored option", "table[list(COLUMNS)].to_csv(index=False)", 'table[["path"]].to_csv(index=False)')
records.fault("dropped call", 'index=False) + "\\n".join(self.class_names)', "index=False)")
records.fault("dropped call", "plain_path(str(path)))", "str(path))")

fingerprint = Source(D + "fingerprint.py", "tests/data/test_fingerprint.py", "tests/cli/test_integrity.py")
fingerprint.fault("ignored option", "self.class_names, self.pixels])[:16]", "self.class_names])[:16]")
fingerprint.fault(
    "ignored option",
    "[str(self.images), self.rows, self.labels, self.split,",
    "[str(self.images), self.rows, self.split,",
)
fingerprint.fault("dropped call", '"surrogatepass") + b"\\xff")', '"surrogatepass"))')
fingerprint.fault("dropped call", '        if meta.get("fingerprint") != taken.as_dict():', "        if False:")
fingerprint.fault("dropped call", '        if values.get("digest") != stored.digest:', "        if False:")
fingerprint.fault(
    "swapped part", 'labels=_digest(map(str, pictures["label"]))', 'labels=_digest(sorted(map(str, pictures["label"])))'
)
fingerprint.fault(
    "ignored option",
    '_digest([*pictures["id"], *pictures["path"]])',
    '_digest(pictures["id"])',
    why_equivalent="an id is its path, numbered where one stands twice: ids differ where paths do",
)
fingerprint.fault("ignored option", '"fold": "fold", **records.groupings}', '"fold": "fold"}')

audit = Source(D + "audit.py", "tests/data/test_audit.py", "tests/cli/test_audit.py")
audit.fault("off-by-one", "doubled.index[doubled > 1]", "doubled.index[doubled > 2]")
audit.fault("wrong reduction", "not self.crossings and not any(self.two_labels.values())", "not self.crossings")
audit.fault("wrong reduction", "return self.clean and self.complete", "return self.clean")
audit.fault(
    "ignored option",
    "near_duplicates(pictures.looks, pictures.digests, near)",
    "near_duplicates(pictures.looks, pictures.digests, 1.0)",
)
audit.fault("sign", "    if near >= 0:\n", "    if near < 0:\n")
audit.fault("off-by-one", "if len(sizes) < 2:", "if len(sizes) < 1:")
audit.fault("wrong reduction", "labels[pair.first] != labels[pair.second]", "labels[pair.first] == labels[pair.second]")
audit.fault("sign", "folds.fillna(records.table", 'records.table["split"].fillna(records.table')

leaks = Source(D + "leaks.py", "tests/data/test_leaks.py", "tests/data/test_audit.py", "tests/cli/test_audit.py")
leaks.fault("swapped part", "shared = sets[first] & sets[second]", "shared = sets[first] | sets[second]")
leaks.fault("index", "len(shared), len(sets[second])", "len(shared), len(sets[first])")
leaks.fault("dropped call", "set(keys[parts == part].dropna().tolist())", "set(keys[parts == part].tolist())")
leaks.fault("dropped call", "identities(used[column])", "used[column]")
leaks.fault(
    "ignored option", "return partition_leaks(records, parts) + copies", "return partition_leaks(records, parts)"
)
leaks.fault("ignored option", "return partition_leaks(records, parts) + copies", "return copies")
leaks.fault("ignored option", "for name in PARTS", "for name in PARTS[:2]")
leaks.fault("off-by-one", 'transform("nunique") > 1', 'transform("nunique") > 2')
leaks.fault(
    "ignored option", "list(dict.fromkeys(map(str, shown)))[:EXAMPLES]", "list(dict.fromkeys(map(str, shown)))[:1]"
)

changes = Source(D + "changes.py", "tests/data/test_fingerprint.py", "tests/cli/test_integrity.py")
changes.fault("sign", "    if stored.digest == now.digest:\n", "    if stored.digest != now.digest:\n")
changes.fault("swapped part", "_class_lines(stored.names, now.names)", "_class_lines(now.names, stored.names)")
changes.fault("dropped call", "    lines += _membership_lines(before, after)\n", "")
changes.fault("dropped call", "    lines += _split_lines(before.loc[shared], after.loc[shared])\n", "")
changes.fault("dropped call", "    lines += _content_lines(before.loc[shared], after.loc[shared])\n", "")
changes.fault("ignored option", '("fold", "subject", "album", "original"):', '("fold",):')
changes.fault(
    "swapped part",
    "{old} '{there[old]}' there, {new} '{now[new]}' now",
    "{new} '{there[new]}' there, {old} '{now[old]}' now",
)
changes.fault("dropped call", "& ~lost\n", "\n")
changes.fault("swapped part", '{"train": "test", "test": "train"}', '{"train": "val", "val": "train"}')
changes.fault("dropped call", "    return lines or _kinds(stored, now)", "    return lines")

reading = Source(D + "reading.py", "tests/data/test_reading.py", "tests/training/test_predictor.py")
reading.fault("swapped part", "[item.label for item, _ in good]", "[item.name for item, _ in good]")
reading.fault("dropped call", "    if waiting:\n        yield collate(waiting)\n", "")
reading.fault("dropped call", "            waiting = []\n", "")
reading.fault("sign", "if isinstance(error, FinegrainedError)]", "if False]")
reading.fault("off-by-one", "if len(waiting) == batch_size:", "if len(waiting) > batch_size:")

ages = Source("finegrained_crl/data/ages.py", "tests/data/test_ages.py", "tests/datasets/test_table.py")
ages.fault("off-by-one", "ages < high + 1", "ages <= high + 1")
ages.fault("off-by-one", "[first - 1 for first in firsts[1:]]", "[first for first in firsts[1:]]")
ages.fault("dropped call", "inside.any(1), inside.argmax(1), -1", "inside.any(1), inside.argmax(1), 0")
ages.fault("index", "np.floor(ages).astype(np.int64) - scale.low", "np.floor(ages).astype(np.int64)")
ages.fault("dropped call", 'ages.rank(method="first").to_numpy()', "np.arange(len(ages)) + 1")
folds.fault("dropped call", "if not absent or records.ages is not None:", "if not absent:")

prepared = Source(D + "prepared.py", "tests/data/test_prepared.py")
prepared.fault("off-by-one", "min(opened.size) <= work.short_side", "max(opened.size) <= work.short_side")
prepared.fault("dropped call", "sha256_of(target) == before", "before")
prepared.fault("dropped call", 'before["source_sha256"] == digest and ', "")
prepared.fault("ignored option", "convert=work.convert), work.short_side)", "convert=work.convert), 64)")
prepared.fault("dropped call", "    if first != json.dumps(work.what):\n", "    if False:\n")
prepared.fault("dropped call", "if now[file] != digest)", "if False)")
prepared.fault("dropped call", "    if (out / NOTE).is_file():\n", "    if False:\n")
prepared.fault("dropped call", "    (work.out / PROGRESS).unlink()\n", "")
