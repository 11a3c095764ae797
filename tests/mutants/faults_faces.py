"""Faults on the way from a photograph to upright faces, their manifest and their answers."""

from faults import Source

F = "finegrained_crl/faces/"
DETECTOR, CROP, PREPARE = "tests/faces/test_detector.py", "tests/faces/test_crop.py", "tests/faces/test_prepare.py"
PREDICT = "tests/cli/test_predict_faces.py"

detector = Source(F + "detector.py", DETECTOR, CROP)
detector.fault("swapped part", "tile[..., ::-1]", "tile")
detector.fault("sign", "key=lambda face: -face.size)", "key=lambda face: face.size)")
detector.fault("ignored option", "if not any(face.score >= SURE for face in faces):", "if not faces:")
detector.fault("off-by-one", "for turns in (1, 2, 3):", "for turns in (1, 2):")
detector.fault("ignored option", "LEAST_SEEN / self.min_size", "LEAST_SEEN / 60")
detector.fault("off-by-one", "rows, columns = size if turns % 2 == 0 else size[::-1]", "rows, columns = size")
detector.fault("sign", "rows - points[:, 1], points[:, 0]", "points[:, 1], columns - points[:, 0]")
detector.fault("dropped call", "        rows, columns = columns, rows\n", "")
detector.fault("swapped part", "(left + corner[0]) / scale, (upper", "(left + corner[1]) / scale, (upper")
detector.fault(
    "dropped call", "(row[4:14].reshape(5, 2) + np.array(corner)) / scale", "row[4:14].reshape(5, 2) / scale"
)
detector.fault("dropped call", "for face in _distinct(faces))", "for face in faces)")
detector.fault("off-by-one", "reshape(5, 2) - 0.5", "reshape(5, 2)")
detector.fault("sign", "points @ warp[:, :2].T", "points @ warp[:, :2]")
detector.fault("dropped call", "if _is_in_the_middle(row)]", "]")
detector.fault("ignored option", "MOST_LOOKS = 15, 3", "MOST_LOOKS = 15, 0")
detector.fault(
    "sign",
    "for face in sorted(faces, key=lambda face: -face.score):",
    "for face in sorted(faces, key=lambda face: face.score):",
)
detector.fault(
    "off-by-one", "count = math.ceil((side - OVERLAP) / (tile - OVERLAP))", "count = max(2, math.ceil(side / tile))"
)
detector.fault("dropped call", "if not _is_cut(row,", "if True or not _is_cut(row,")
detector.fault("dropped call", "self._model = _require_model()", "self._model = model_file()")
detector.fault("sign", "hexdigest() != SHA256", "hexdigest() == SHA256")

crop = Source(F + "crop.py", CROP)
crop.fault("wrong reduction", "face.size * (1 + 2 * self.margin)", "face.size * (1 + self.margin)")
geometry = Source(F + "face.py", CROP)
geometry.fault("sign", "angle, scale = math.radians(tilt(face))", "angle, scale = -math.radians(tilt(face))")
crop.fault("ignored option", "borderMode=cv2.BORDER_REPLICATE", "borderMode=cv2.BORDER_CONSTANT")
geometry.fault("off-by-one", "left + width / 2 - 0.5", "left + width / 2 + 0.5")
geometry.fault("off-by-one", "middle = (out - 1) / 2", "middle = out / 2")
crop.fault("ignored option", "finer = max(1, min(math.ceil(side / self.size), LARGEST_WARP // self.size))", "finer = 1")
crop.fault("dropped call", " - np.array([[0, 0, left], [0, 0, upper]])", "")
geometry.fault("dropped call", "eyes + np.array([down[1], -down[0]])", "eyes")
geometry.fault("sign", "np.array([down[1], -down[0]])", "np.array([-down[1], down[0]])")
crop.fault("off-by-one", "if face.size < self.min_size:", "if face.size <= self.min_size:")
crop.fault("ignored option", "if face.score < self.min_score:", "if False:")

prepare = Source(F + "prepare.py", PREPARE)
prepare.fault("ignored option", "only_largest=work.largest", "only_largest=False")
prepare.fault("ignored option", "convert=work.convert", "convert=False")
prepare.fault("ignored option", "Detector(work.crop.min_size)", "Detector(600)")
prepare.fault("swapped part", 'POINTS = ("left_eye", "right_eye"', 'POINTS = ("right_eye", "left_eye"')
prepare.fault(
    "dropped call", '    if before["failed"] or before["source_sha256"] != digest:\n        return False\n', ""
)
prepare.fault("dropped call", 'sha256_of(work.out / row["file"]) == row["sha256"]', "True")
prepare.fault("dropped call", "    if stored != first:\n", "    if False:\n")
prepare.fault("dropped call", "    (work.out / PROGRESS).unlink()\n", "")
prepare.fault("ignored option", "labels[faces.notna()]", "labels")
prepare.fault("ignored option", "shutdown(cancel_futures=True)", "shutdown()", why_equivalent="only sooner")
prepare.fault("off-by-one", "if len(os.fsencode(own)) > LONGEST_NAME:", "if False:")

command = Source("finegrained_crl/cli/data_prepare_faces.py", PREPARE)
command.fault("sign", "return 1 if failed else 0", "return 0")
command.fault("ignored option", '{**how, "largest": True}', "how")
command.fault("ignored option", "table.parent / root / name", "table.parent / name")
command.fault("swapped part", "arguments.min_score, arguments.min_size)", "arguments.min_score)")
command.fault("dropped call", "labels[column] = labels[column].map(plain_path)\n", "pass\n")

note = Source("finegrained_crl/data/prepared.py", PREPARE)
note.fault("swapped part", 'files.read_json(note).get("faces") if', 'files.read_json(note).get("crop") if')

batches = Source("finegrained_crl/training/face_batches.py", PREDICT)
batches.fault("ignored option", "predictor.face_crop or {}", "{}")
batches.fault("ignored option", "crop if margin is None else dataclasses.replace(crop, margin=margin)", "crop")
batches.fault("swapped part", "item.label if number == 0 else", "item.label if number == 1 else")
batches.fault("index", "enumerate(taken):", "enumerate(taken[::-1]):")
batches.fault("off-by-one", "waiting[batch_size:], Looked", "waiting[batch_size + 1 :], Looked")
batches.fault("ignored option", "read._replace(errors=errors)", "read")
batches.fault("ignored option", "frames(source, every=every, most=most)", "frames(source, most=most)")
batches.fault("ignored option", "if not reason]", "]")
batches.fault("wrong reduction", "min(small.shape[:2]) / side)", "1.0)")

answers = Source("finegrained_crl/cli/predict_faces.py", PREDICT)
answers.fault("dropped call", "        self._rows = []\n\n", "\n\n")
answers.fault("ignored option", "choose_crop(predictor, arguments.face_margin)", "choose_crop(predictor, None)")
answers.fault("dropped call", "        self.names.add(own)\n", "")
answers.fault("dropped call", "        errors.add(batch.errors)\n", "")
answers.fault("sign", "if predictor.face_crop is None and margin is None:", "if margin is None:")
answers.fault("dropped call", '        at_once.require_absent(Path(arguments.draw), "--draw")\n', "        pass\n")

drawing = Source(F + "drawing.py", PREDICT)
drawing.fault("ignored option", "(scale * row[name] for name in BOX)", "(row[name] for name in BOX)")
drawing.fault("ignored option", 'scale * row[f"{point}_x"]', 'row[f"{point}_x"]')
drawing.fault("dropped call", "        _write(draw, font, (left, upper), _drawable(text))\n", "")

results = Source("finegrained_crl/training/results.py", PREDICT)
results.fault(
    "dropped call",
    '        **({"face_crop": session.records.face_crop} if session.records.face_crop else {}),\n',
    "",
)
