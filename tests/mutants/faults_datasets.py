"""Faults in the readers of data sets, in what checks them, and in the search for near-copies."""

from faults import Source

S, D = "datasets/finegrained_crl_datasets/", "finegrained_crl/data/"
TABLE, FOLDER = "tests/datasets/test_table.py", "tests/datasets/test_image_folder.py"

table = Source(S + "table.py", TABLE, "tests/cli/test_years.py")
table.fault(
    "ignored option", "self.test_fraction, self.split_seed)\n        columns", "self.test_fraction, 0)\n        columns"
)
table.fault(
    "ignored option", "self.test_fraction, self.split_seed)\n        columns", "0.2, self.split_seed)\n        columns"
)
table.fault(
    "ignored option",
    "self._groups(columns, root), self.num_folds, self.split_seed)",
    "self._groups(columns, root), self.num_folds, 0)",
)
table.fault(
    "dropped call",
    "classes, self._groups(columns, root), self.num_folds",
    'classes, groups_of(root, columns["path"], {}), self.num_folds',
)
table.fault("ignored option", "columns |= self._optional(raw, path)", "self._optional(raw, path)")
table.fault("dropped call", ".str.strip().str.lower()", "")
table.fault("dropped call", "columns.pop(name, None) is not None", "columns.get(name) is not None")
table.fault("ignored option", "ordered=told.ordered,", "ordered=False,")
table.fault(
    "swapped part",
    'np.where(np.isin(np.arange(len(classes)), test), "test", "train")',
    'np.where(np.isin(np.arange(len(classes)), test), "train", "test")',
)
table.fault("dropped call", "check_range(labels, self.num_classes, path)\n", "pass\n")
table.fault("dropped call", "        no_escape(relative_paths(raw[self.path_column], root), root, path)\n", "")
table.fault("ignored option", "raw = raw[told.kept].reset_index(drop=True)", "raw = raw.reset_index(drop=True)")
table.fault("off-by-one", "tuple(map(str, range(low, high + 1)))", "tuple(map(str, range(low, high)))")
table.fault("ignored option", "path.parent).joinpath(self.image_root).resolve()", "path.parent).resolve()")
table.fault("ignored option", "return read_table(path, divider,", 'return read_table(path, "",')
table.fault("dropped call", "ages=told.scale,", "ages=None,")
table.fault("dropped call", 'age in no bin": int((~kept).sum())}', 'age in no bin": 1}')

places = Source("datasets/finegrained_crl_datasets/tables/places.py", "tests/datasets/test_table.py")
places.fault("dropped call", '.str.replace("\\\\", "/", regex=False)', "")
places.fault("dropped call", "    if len(stray):", "    if False:")
places.fault("swapped part", 'p.suffix in (".csv", ".tsv", ".parquet")', 'p.suffix == ".csv"')

columns = Source(S + "tables/columns.py", TABLE)
columns.fault("off-by-one", "row {empty[0] + 2}", "row {empty[0] + 1}")
columns.fault("dropped call", "    if numbers.isna().any() or numbers.duplicated().any():", "    if True:")

inside = Source(S + "tables/shards.py", "tests/datasets/test_parquet_tables.py", "tests/datasets/test_webdataset.py")
inside.fault("ignored option", "if split_column not in table:", "if True:")
inside.fault("swapped part", 'whole[split_column].replace({"val": "test"})', "whole[split_column]")
inside.fault("dropped call", "name=shard.as_posix())", "name=shard.name)")
inside.fault("sign", 'return "test" not in', 'return "test" in')

named = Source(S + "age_files.py", "tests/datasets/test_age_files.py")
named.fault("ignored option", "test_fraction=self.test_fraction", "test_fraction=0.2")
named.fault("ignored option", "num_folds=self.num_folds", "num_folds=0")
named.fault("dropped call", "{NO_AGE: without} if without else {}", "{}")
named.fault("swapped part", "(?P<age>\\d{1,3})_(?P<subject>.+)_\\d{4}", "\\d{1,3}_(?P<subject>.+)_(?P<age>\\d{4})")
named.fault("ignored option", "NAMES[self.naming].fullmatch", 'NAMES["utkface"].fullmatch')

note = Source(D + "tables.py", "tests/datasets/test_parquet_tables.py")
note.fault("off-by-one", "enumerate(texts)}", "enumerate(texts, 1)}")
note.fault("dropped call", "return _with_class_names(cells, class_names(schema))", "return cells")
note.fault("swapped part", "if column not in pictures]", "if column in pictures]")

limits = Source("tools/benchmarks/input.py", "tests/data/test_input_benchmark.py")
limits.fault("swapped part", "max(sides[max(seconds", "max(sides[min(seconds")
limits.fault("ignored option", '        seconds["loader"] /= max(1, count)\n', "")
limits.fault("ignored option", 'row["size"] == size and row', "row")

rows = Source(D + "parquet_pictures.py", "tests/data/test_parquet_pictures.py")
rows.fault("off-by-one", 'side="right")) - 1', 'side="left")) - 1')
rows.fault("index", "[index - int(self.starts[group])]", "[index % 4]")
rows.fault("dropped call", "            _GROUPS.move_to_end(key)\n", "")
rows.fault("sign", "> MOST_BYTES", "< MOST_BYTES")
rows.fault("dropped call", "state.st_mtime_ns if state else 0, state.st_size if state else 0", "0, 0")

folder = Source(S + "image_folder.py", FOLDER)
folder.fault("ignored option", "groups, self.test_fraction, self.split_seed)", "groups, self.test_fraction, 0)")
folder.fault("swapped part", '"test" if alone and split == "val" else split', "split")
folder.fault("dropped call", "            if present != names:\n", "            if False:\n")
folder.fault("dropped call", "groups_of(data, pd.Series(listing.paths), {})", "pd.Series(listing.paths)")
folder.fault("ignored option", "listing, self.depth, data)\n        names", 'listing, "top", data)\n        names')
folder.fault(
    "index",
    'folder.partition("/")[0] for folder in contents.folders',
    'folder.rpartition("/")[2] for folder in contents.folders',
)
folder.fault(
    "off-by-one", 'if "" not in below_top and len(below_top) > 1:', 'if "" not in below_top and len(below_top) > 2:'
)
folder.fault(
    "dropped call", "folder if folder in doubled else PurePosixPath(folder).name", "PurePosixPath(folder).name"
)
folder.fault("dropped call", "        contents.unread[suffix] += 1\n", "")
folder.fault("dropped call", 'folders[:] = [name for name in folders if not name.startswith(".")]', "pass")
folder.fault(
    "dropped call",
    "os.walk(folder, onerror=_stop)",
    "os.walk(folder)",
    why_equivalent="root may read every folder: noticed by other users",
)

verify = Source(D + "verify.py", "tests/data/test_verify.py", "tests/data/test_prepared.py", "tests/cli/test_data.py")
verify.fault("wrong reduction", "not any(self.files.values()) and not contradicts", "not contradicts")
verify.fault("sign", "contradicts = not self.counts and", "contradicts = self.counts and")
verify.fault("ignored option", "decode(path, convert=convert)", "decode(path)")
verify.fault("dropped call", "report.files |= {CHANGED: changed} if changed else {}", "pass")
verify.fault("swapped part", 'if group["label"].nunique() > 1]', 'if group["split"].nunique() > 1]')
verify.fault(
    "wrong reduction", 'rows["split"].nunique() > 1 or rows["fold"].nunique() > 1', 'rows["split"].nunique() > 1'
)
verify.fault("dropped call", 'copies if group["path"].nunique() > 1]', "copies]")
verify.fault("off-by-one", "rest = sum(n for _, n in reasons[3:])", "rest = sum(n for _, n in reasons[4:])")
verify.fault("sign", "key=lambda item: -item[1])", "key=lambda item: item[1])")
verify.fault("dropped call", "    if state.st_size == 0:\n", "    if False:\n")
verify.fault("swapped part", "counts.get(name, 0)) for name, expected", "expected) for name, expected")
verify.fault("dropped call", ".duplicated().sum())\n    counts", ".duplicated().sum() * 0)\n    counts")

near = Source(D + "near_duplicates.py", "tests/data/test_near_duplicates.py", "tests/cli/test_audit.py")
near.fault("ignored option", "        if alike >= near:\n", "        if alike >= NEAR:\n")
near.fault(
    "dropped call",
    "        if digests[paths[_owner(gallery, n.seen)]] != digests[paths[_owner(gallery, n.as_it_is)]]\n",
    "",
)
near.fault(
    "dropped call",
    "if one != other and (key not in best",
    "if (key not in best",
    why_equivalent="a picture and itself have equal bytes, and such pairs are left out later",
)
near.fault("sign", "best[key].cosine < cosine", "best[key].cosine > cosine")
near.fault("sign", "np.argsort(-cosines[row, columns]", "np.argsort(cosines[row, columns]")
near.fault("index", "int(top + row), int(left + column)", "int(row), int(column)")
near.fault("dropped call", "range(top if halved else 0, targets", "range(top, targets")
near.fault("dropped call", "if not look.is_blank]", "]")

descriptors = Source(D + "descriptors.py", "tests/data/test_near_duplicates.py")
descriptors.fault("swapped part", "values.transpose(0, 2, 1) if turn & 4", "values.transpose(0, 2, 1) if turn & 8")
descriptors.fault("index", "values * signs[:, None] if turn & 2", "values * signs if turn & 2")
descriptors.fault(
    "dropped call", "rows = (_unit(values) - self.mean.astype(np.float32)) @ self.matrix", "rows = _unit(values)"
)
descriptors.fault("wrong reduction", "rows.mean(axis=0) * size / (size + PRIOR_MEAN)", "rows.mean(axis=0)")
alignment = Source(D + "alignment.py", "tests/data/test_near_duplicates.py")
alignment.fault("dropped call", "    if overlap.mean() < LEAST_OVERLAP:\n        return -1.0\n", "")
alignment.fault("sign", "2 * _without_covered(one, other) - 1", "0 * _without_covered(one, other)")
alignment.fault("off-by-one", "left + (scale_x - 1) / 2]", "left]")
alignment.fault("dropped call", "picture - cv2.GaussianBlur(picture, (0, 0), BLUR)", "picture")

video = Source(D + "video.py", "tests/data/test_video.py", "tests/cli/test_predict_at_work.py")
video.fault("ignored option", "wanted = number % every == 0", "wanted = True")
video.fault("off-by-one", "most is None or taken < most:", "most is None or taken <= most:")
video.fault("index", "frame[..., ::-1]", "frame")
video.fault("swapped part", "item_name(source, number)", "item_name(source, taken)")
video.fault("dropped call", "    if not number:\n", "    if False:\n")

tables = Source(D + "tables.py", "tests/data/test_tables.py", TABLE)
tables.fault("ignored option", "keep_default_na=False", "keep_default_na=True")
tables.fault("dropped call", "set(needed) <= set(cells)", "True")
tables.fault("ignored option", 'divider = separator or ("\\t" if', 'divider = ("\\t" if')
tables.fault("ignored option", ", index_col=False)", ")")
tables.fault(
    "dropped call",
    'filled: pd.DataFrame = table.fillna("")',
    "filled: pd.DataFrame = table",
    why_equivalent="pandas 3 gives empty text there itself, which 2.2 does not",
)
tables.fault("dropped call", "        content.validate(full=True)", "        pass")

arrays = Source(
    D + "array_files.py",
    "tests/data/test_array_files.py",
    "tests/datasets/test_cifar10.py",
    "tests/datasets/test_svhn.py",
)
arrays.fault("index", "rows.reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1)", "rows.reshape(-1, SIDE, SIDE, 3)")
arrays.fault(
    "swapped part",
    '["coarse_labels", "fine_labels"]',
    '["fine_labels", "coarse_labels"]',
    "tests/datasets/test_cifar100.py",
)
arrays.fault("swapped part", "{pixels.shape[2]} {pixels.shape[1]} 255", "{pixels.shape[1]} {pixels.shape[2]} 255")
arrays.fault("index", "pixels.transpose(3, 0, 1, 2)", "pixels.transpose(3, 1, 0, 2)")
arrays.fault("dropped call", "    if wrong:\n        raise", "    if False:\n        raise")
arrays.fault("dropped call", "or len(content) % record:", ":")
arrays.fault("ignored option", "(state.st_size, state.st_mtime_ns, state.st_ino) if state else None", "None")

lists = Source(D + "lists.py", "tests/data/test_lists.py", "tests/cli/test_audit.py")
lists.fault("dropped call", "or len(set(paths)) < len(paths):", ":")
lists.fault("wrong reduction", "        if all(told):\n", "        if any(told):\n")
lists.fault("ignored option", "names if len(set(names)) == len(names) else", "names if True else")
lists.fault("index", "return text[:start].rstrip(SEPARATORS), label", "return text[:start], label")

budget = Source(
    D + "picture_files.py", "tests/data/test_picture_files.py", "tests/data/test_images.py", "tests/cli/test_data.py"
)
budget.fault("dropped call", "        _check_size(path, picture.width * picture.height)\n", "")
budget.fault("off-by-one", "    if pixels > max_pixels():", "    if pixels >= max_pixels():")
budget.fault("dropped call", "                self._used -= pixels\n", "")
budget.fault("ignored option", "formats=_formats())", "formats=None)")
budget.fault("dropped call", "or int(text) == 0:", ":")

adience = Source(S + "adience.py", "tests/datasets/test_adience.py")
adience.fault("dropped call", 'rows.duplicated([*FIELDS, "fold"]) & (self', "rows.duplicated([*FIELDS]) & (self")
adience.fault("wrong reduction", "age = sum(ages) / len(ages)", "age = ages[0]")
adience.fault("ignored option", "abs(age - (low + high) / 2)) for", "0) for")
svhn = Source(S + "svhn.py", "tests/datasets/test_svhn.py")
svhn.fault("index", "return label % TEN_IS_ZERO", "return label - 1")
imagenet = Source(S + "imagenet.py", "tests/datasets/test_imagenet.py")
imagenet.fault("off-by-one", "long if counts[name] > 1 else name", "long if counts[name] > 2 else name")

study_file = Source("finegrained_crl/studies/study_file.py", "tests/studies/test_study_file.py")
study_file.fault("swapped part", "{**self.settings, **self.parts[chosen]}", "{**self.parts[chosen], **self.settings}")
study_file.fault("off-by-one", "max(1, round(epoch * share))", "round(epoch * share)")
study_file.fault("ignored option", ' and "decay_epochs" not in self.scales[scale]:', ":")
study_file.fault("wrong reduction", 'changed["epochs"] / whole["epochs"]', '1 / whole["epochs"]')
