"""Malformed pictures, tables, layouts, recipes, run and study folders, checkpoints and command lines, from a seed.

    python tests/attacks/fuzz.py --cases 50000 --seed 0

Each input ends in a result or a `FinegrainedError`. Anything else is counted: a traceback, a hang, more than two
gigabytes, a crash, or a damaged file that was read as if nothing had happened. Inputs are looked at in forked
processes, a few hundred in each. One line per kind; exit code 1 where something was found.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import random
import resource
import shutil
import signal
import struct
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
KNOWING = ROOT / "tests" / "third_party" / "knowing"
if __name__ == "__main__":  # a test that takes parts of this file must not leave a plug-in behind for others
    sys.path[:0] = [
        *map(str, (ROOT, ROOT / "plugins", ROOT / "datasets", ROOT / "tests" / "support", KNOWING)),
    ]
os.environ.setdefault("OMP_NUM_THREADS", "1")

HANG_SECONDS = 60
MOST_BYTES = 2 << 30
BATCH = 250
TOKENS = (
    b"\0", b"\xff", b"\xef\xbb\xbf", b"\r", b"\n", b'"', b"'", b",", b"\t", b";", b"NaN", b"-1", b"1e999", b"inf",
    b"null", b"~", b"99999999999999999999", b"=cmd|' /C calc'!A0", b"\x1b[31m", b"$\\frac{1$",
    b"../../etc/passwd", b"/dev/zero",
    b"variant",
    b"label", b"weights", b"&a *a", b"!!python/object/apply:os.system [id]", b"{", b"[", b"}", b": ", b"\xe2\x80\xae",
    b"\xed\xa0\x80", "é".encode(), "é".encode(), b" " * 2000, b"[" * 500, b"<script>", b"%s%n", b"True", b"0x10",
)  # fmt: skip


def mutated(content: bytes, other: bytes, chance: random.Random) -> bytes:
    """One to four random changes of bytes, numbers and words."""
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        content = chance.choice(CHANGES)(content, other, chance)
    return content


def _place(content: bytes, chance: random.Random) -> int:
    # Half of the time near the beginning, where headers are.
    most = len(content) if chance.random() < 0.5 else min(len(content), 64)
    return chance.randrange(most + 1)


def _flip(content: bytes, _: bytes, chance: random.Random) -> bytes:
    if not content:
        return b"\x01"
    at, bit = min(_place(content, chance), len(content) - 1), 1 << chance.randrange(8)
    return content[:at] + bytes([content[at] ^ bit]) + content[at + 1 :]


def _cut(content: bytes, _: bytes, chance: random.Random) -> bytes:
    return content[: _place(content, chance)]


def _drop(content: bytes, _: bytes, chance: random.Random) -> bytes:
    at = _place(content, chance)
    return content[:at] + content[at + chance.choice((1, 4, 40, 400)) :]


def _repeat(content: bytes, _: bytes, chance: random.Random) -> bytes:
    at, size = _place(content, chance), chance.choice((1, 8, 80))
    return content[:at] + content[at : at + size] * chance.choice((2, 30)) + content[at:]


def _insert(content: bytes, _: bytes, chance: random.Random) -> bytes:
    at = _place(content, chance)
    return content[:at] + chance.choice(TOKENS) + content[at + chance.choice((0, 0, 1, 3)) :]


def _number(content: bytes, _: bytes, chance: random.Random) -> bytes:
    at = _place(content, chance)
    value = chance.choice((0, 1, 0x7FFF, 0x7FFFFFFF, 0xFFFFFFFF, 100_000))
    return content[:at] + struct.pack(chance.choice("<>") + "I", value) + content[at + 4 :]


def _splice(content: bytes, other: bytes, chance: random.Random) -> bytes:
    return content[: _place(content, chance)] + other[_place(other, chance) :]


def _noise(content: bytes, _: bytes, chance: random.Random) -> bytes:
    at = _place(content, chance)
    return content[:at] + chance.randbytes(chance.choice((1, 16, 200))) + content[at + 16 :]


CHANGES: tuple[Callable[[bytes, bytes, random.Random], bytes], ...] = (
    _flip, _flip, _cut, _drop, _repeat, _insert, _insert, _number, _splice, _noise,
)  # fmt: skip


class SilentError(Exception):
    """A damaged file was read as if nothing had happened, and gave something else."""


@dataclass(frozen=True)
class Kind:
    """A kind of input.

    Attributes:
        share: of all cases.
        look: called with the kind's folder and a chance; changes something there, reads it, puts it back.
    """

    share: float
    look: Callable[[Path, random.Random], None]


# The corpus, made by code, and how each kind is looked at.


def make_corpus(folder: Path, *, with_study: bool = True) -> None:
    """A small valid input of every kind; the study, whose cells are processes of their own, only where it is wanted."""
    import numpy as np
    from known_set import make_known_set

    for name in ("pictures", "tables", "layouts/cub/images", "layouts/adience/aligned", "recipes", "known", "scratch"):
        (folder / name).mkdir(parents=True)
    _make_pictures(folder / "pictures")
    _make_layouts(folder / "layouts")
    for number, path in enumerate(sorted((ROOT / "plugins").rglob("recipes/*.yaml"))):
        shutil.copy(path, folder / "recipes" / f"{number}.yaml")
    known = make_known_set(folder / "known", np.random.default_rng(3))
    _make_tables(folder / "tables", known)
    _make_runs(folder, known)
    if with_study:
        _make_study(folder, known)


def _make_pictures(folder: Path) -> None:
    import numpy as np
    from PIL import Image

    pixels = np.random.default_rng(0).integers(0, 255, (24, 30, 4), dtype=np.uint8)
    colour = Image.fromarray(pixels[..., :3])
    for suffix in ("jpg", "png", "bmp", "webp", "tif", "ppm", "gif"):
        colour.save(folder / f"colour.{suffix}")
    colour.save(folder / "lossy.tif", compression="jpeg")
    Image.fromarray(pixels).save(folder / "alpha.png")
    colour.convert("CMYK").save(folder / "print.jpg")
    Image.fromarray(pixels[..., 0].astype(np.uint16) * 16).save(folder / "deep.png")
    colour.quantize(16).save(folder / "palette.png")
    colour.save(folder / "moving.gif", save_all=True, append_images=[colour.rotate(90)])
    exif = Image.Exif()
    exif[274] = 6
    colour.save(folder / "turned.jpg", exif=exif)


def _make_tables(folder: Path, known: Any) -> None:
    rows = known.rows.assign(original="o", album="a")
    rows.to_csv(folder / "a.csv", index=False)
    rows.drop(columns=["split", "original", "album"]).to_csv(folder / "b.tsv", index=False, sep="\t")
    rows.drop(columns="fold").to_csv(folder / "c.csv", index=False, sep=";")
    rows.astype({"fold": str}).to_parquet(folder / "d.parquet")
    (folder / "e.csv").write_bytes(rows.to_csv(index=False).encode("utf-16"))
    (folder / "f.txt").write_text("".join(f"{path} {i % 3}\n" for i, path in enumerate(rows["path"])))


def _make_layouts(folder: Path) -> None:
    texts = {
        "images": "1 001.Red_Bird/a.jpg\n2 001.Red_Bird/b.jpg\n3 002.Blue_Bird/c.jpg\n4 002.Blue_Bird/d.jpg\n",
        "image_class_labels": "1 1\n2 1\n3 2\n4 2\n",
        "train_test_split": "1 1\n2 0\n3 1\n4 0\n",
        "classes": "1 001.Red_Bird\n2 002.Blue_Bird\n",
        "bounding_boxes": "1 1.0 2.0 3.0 4.0\n2 1 2 3 4\n3 1 2 3 4\n4 1 2 3 4\n",
    }
    for name, text in texts.items():
        (folder / "cub" / f"{name}.txt").write_text(text)
    from finegrained_crl_datasets.adience import FIELDS, GROUPS

    for fold in range(5):
        ages = [f"({group.replace('-', ', ')})" for group in GROUPS] + ["35", "(25, 23)", "None", ""]
        rows = [
            "\t".join([f"u{fold}", f"{i}.jpg", str(10 * fold + i), age, "f", "0", "0", "9", "9", "0", "15", "50"])
            for i, age in enumerate(ages)
        ]
        (folder / "adience" / f"fold_{fold}_data.txt").write_text("\n".join(["\t".join(FIELDS), *rows]) + "\n")


RUN = [
    "--dataset",
    "table",
    "--method",
    "knowing",
    "--weights",
    "none",
    "--backbone",
    "none",
    "--loss",
    "ce",
    "--resize",
    "squash",
    "--eval-resize-ratio",
    "1",
    "--resize-ratio",
    "1",
    "--crop-scale",
    "1",
    "--hflip",
    "0",
    "--optimizer",
    "momentum",
    "--momentum",
    "0",
    "--weight-decay",
    "0",
    "--schedule",
    "constant",
    "--lr",
    "1",
    "--batch-size",
    "14",
    "--image-size",
    "42",
    "--epochs",
    "2",
    "--device",
    "cpu",
]


def _make_runs(folder: Path, known: Any) -> None:
    """A finished run, and the same run before the last thing that it did."""
    from finegrained_crl.cli.main import main

    words = [*RUN, "--workers", "0", "--data", str(known.csv)]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        for name in ("run", "unfinished"):
            assert main(["finetune", *words, "--out", str(folder / name)]) == 0
    for name in ("COMMITTED", "results.json", "predictions.parquet"):
        (folder / "unfinished" / name).unlink()


def _make_study(folder: Path, known: Any) -> None:
    """A study of two finished cells."""
    from finegrained_crl.cli.main import main

    words = ["--losses", "ce", "crl", "--jobs", "2", "--out", str(folder / "study"), "--epochs", "1"]
    environment = os.environ.get("PYTHONPATH", "")
    os.environ["PYTHONPATH"] = os.pathsep.join(sys.path)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        assert main(["crossval", *RUN, "--data", str(known.csv), *words]) == 0
    os.environ["PYTHONPATH"] = environment


def _one_of(folder: Path, chance: random.Random, *patterns: str) -> Path:
    files = sorted({path for pattern in patterns for path in folder.rglob(pattern) if path.is_file()})
    return chance.choice([path for path in files if "tensorboard" not in path.parts and path.name != ".lock"])


@contextlib.contextmanager
def _damaged(path: Path, chance: random.Random, other: Path | None = None) -> Any:
    """The file at `path` changed, for as long as the body lasts; yields whether it differs."""
    before = path.read_bytes()
    content = mutated(before, (other or path).read_bytes(), chance)
    path.write_bytes(content)
    try:
        yield content != before
    finally:
        path.write_bytes(before)


def _expect(same: bool, what: str) -> None:
    if not same:
        raise SilentError(what)


def look_at_picture(folder: Path, chance: random.Random) -> None:
    from finegrained_crl.data.images import check_header, read_image

    path = _one_of(folder / "pictures", chance, "*.*")
    with _damaged(path, chance, _one_of(folder / "pictures", chance, "*.*")):
        convert = chance.random() < 0.5
        if check_header(path, convert) is None or chance.random() < 0.5:
            pixels = read_image(path, convert=convert)
            _expect(pixels.ndim == 3 and pixels.shape[2] == 3 and pixels.dtype == "uint8", "no RGB picture")


def look_at_table(folder: Path, chance: random.Random) -> None:
    from finegrained_crl.data.folds import hold_out
    from finegrained_crl.data.lists import read_lists
    from finegrained_crl.data.records import check_records
    from finegrained_crl.training.inputs import find_pictures
    from finegrained_crl_datasets.table import Table

    path = _one_of(folder / "tables", chance, "*.*")
    with _damaged(path, chance, _one_of(folder / "tables", chance, "*.*")):
        if path.suffix == ".txt":
            read_lists([path, folder / "tables" / "a.csv"], {})
        elif chance.random() < 0.3:
            find_pictures(str(path))
        else:
            records = Table().read(path)
            check_records(records)
            hold_out(records, split=None, fold=None)


def look_at_layout(folder: Path, chance: random.Random) -> None:
    from finegrained_crl.data.records import check_records
    from finegrained_crl_datasets.adience import Adience
    from finegrained_crl_datasets.cub200 import Cub200

    name = chance.choice(("cub", "adience"))
    path = _one_of(folder / "layouts" / name, chance, "*.txt")
    with _damaged(path, chance):
        check_records((Cub200() if name == "cub" else Adience()).read(folder / "layouts" / name, labels_only=True))


def look_at_recipe(folder: Path, chance: random.Random) -> None:
    from finegrained_crl.cli import recipe_files, settings
    from finegrained_crl.training.ranges import check_recipe

    path = _one_of(folder / "recipes", chance, "*.yaml")
    with _damaged(path, chance, _one_of(folder / "recipes", chance, "*.yaml")):
        base = recipe_files.read_recipe_file(path)
        words = ["--data", "somewhere"]
        check_recipe(settings.to_recipe(settings.recipe_parser(words, base, lambda _: None, prog="x").parse(words)))


def look_at_run(folder: Path, chance: random.Random) -> None:
    """Everything that reads a finished run: what it reads is what was written, or refused."""
    from finegrained_crl.reports.comparison import compare_runs
    from finegrained_crl.training import committed
    from finegrained_crl.training.run_folder import RunFolder

    run = RunFolder(folder / "run")
    readers: list[Callable[[], Any]] = [
        run.read_recipe, run.read_results, lambda: run.read_data().digest, lambda: compare_runs([run.folder]),
        lambda: run.checked(run.predictions).read_bytes(), lambda: run.checked(run.weights("last")).read_bytes(),
    ]  # fmt: skip
    read = chance.choice(readers)
    whole = read()
    path = _one_of(run.folder, chance, "*")
    with _damaged(path, chance) as differs:
        if path.name != committed.NAME:
            _expect(bool(committed.problems(run.folder)) == differs, f"verify does not notice {path.name}")
        _expect(read() == whole, f"another result from a damaged {path.name}")


def look_at_unfinished(folder: Path, chance: random.Random) -> None:
    """What a resumed run reads: as it was written, or refused."""
    from finegrained_crl.training import checkpoint
    from finegrained_crl.training.run_folder import RunFolder

    run = RunFolder(folder / "unfinished")
    path = chance.choice((run.recipe, run.data, run.last, run.best, run.last))
    readers: dict[Path, Callable[[], Any]] = {
        run.recipe: run.read_recipe,
        run.data: lambda: run.read_data().as_dict(),
        run.last: lambda: _plain(checkpoint.load(run.last)),
        run.best: lambda: _plain(checkpoint.load(run.best)),
    }
    whole = readers[path]()
    with _damaged(path, chance):
        _expect(readers[path]() == whole, f"another {path.name} was read")


def _plain(value: Any) -> Any:
    """Tensors as lists, so that states can be compared."""
    if isinstance(value, dict):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return value.tolist() if hasattr(value, "tolist") else value


def look_at_weights(folder: Path, chance: random.Random) -> None:
    from finegrained_crl.training import checkpoint

    path = folder / "run" / "checkpoints" / "model_last.safetensors"
    with _damaged(path, chance):
        checkpoint.load_weights_file(path)


def look_at_study(folder: Path, chance: random.Random) -> None:
    """A study whose files were damaged is refused, or collected as if they were not."""
    from finegrained_crl.crossval.collect import collect

    study = folder / "study"
    files = ("study.yaml", "results.json", "predictions.parquet", "COMMITTED", "recipe.yaml", "data.parquet", "*.log")
    with _damaged(_one_of(study, chance, *files), chance):
        collected = collect(study)
        results = json.dumps(collected.results, sort_keys=True)
    _expect(results == json.dumps(collect(study).results, sort_keys=True), "other results were collected")


WORDS = [
    "finetune",
    "crossval",
    "report",
    "predict",
    "explain",
    "verify",
    "data",
    "list",
    "plot",
    "audit",
    "make",
    "table",
    "losses",
    "curves",
    "recipes",
    "--help",
    "-h",
    "--json",
    "--out",
    "--data",
    "--dataset",
    "--method",
    "--loss",
    "--resume",
    "--recipe",
    "--epochs",
    "--lr",
    "--head-lr",
    "--seed",
    "--freeze",
    "--erase",
    "--drop-rate",
    "--decay-epochs",
    "--schedule",
    "--weights",
    "--backbone",
    "--image-size",
    "--batch-size",
    "--val-fraction",
    "--split",
    "--fold",
    "--mixup",
    "--ema",
    "--dry-run",
    "--plan",
    "--losses",
    "--seeds",
    "--folds",
    "--grid",
    "--controls",
    "--jobs",
    "--baseline",
    "--decoder",
    "--class",
    "--beside",
    "--device",
    "--path-column",
    "--checkpoint-seconds",
    "--workers",
    "--loss.alpha",
    "--method.decoder",
    "--dataset.separator",
    "--where",
    "--lists",
    "0",
    "1",
    "-1",
    "7",
    "nan",
    "inf",
    "-inf",
    "1e999",
    "1e-9",
    "99999999999999999999",
    "[]",
    "[80]",
    "''",
    "none",
    "null",
    "true",
    "a=b",
    "lr=0.1,1",
    "loss.alpha=1,2",
    "lr=",
    "crl",
    "ce",
    "table",
    "image_folder",
    "knowing",
    "resnet",
    "cub",
    "step",
    "multistep",
    "cpu",
    "auto",
    "../..",
    "/dev/full",
    "/dev/zero",
    "/dev/null",
    "/proc/self/mem",
    "RUN",
    "STUDY",
    "KNOWN",
    "PICTURES",
    "TABLE",
    "UNFINISHED",
    "NEW",
    "FILE/x",
]


def look_at_command(folder: Path, chance: random.Random) -> None:
    """A random command line ends in 0, 1 or 2 and at most one line of error."""
    from finegrained_crl.cli.main import main

    places = {
        "RUN": folder / "run", "STUDY": folder / "study", "UNFINISHED": folder / "unfinished",
        "NEW": folder / "scratch" / "new", "KNOWN": folder / "known" / "labels.csv",
        "PICTURES": folder / "pictures", "TABLE": folder / "tables" / "a.csv",
        "FILE/x": folder / "tables" / "a.csv" / "x",
    }  # fmt: skip
    verbs = ("finetune", "crossval", "report", "predict", "explain", "verify", "data", "plot", "list")
    verb = chance.choice(verbs)
    starts = {
        "finetune": [*RUN, "--data", "KNOWN", "--out", "NEW", "--epochs", "1", "--dry-run"],
        "crossval": [*RUN, "--data", "KNOWN", "--out", "NEW", "--plan"],
        "report": ["STUDY"], "predict": ["RUN", "PICTURES"], "explain": ["RUN", "TABLE"], "verify": ["RUN"],
        "data": ["verify", "table", "--data", "KNOWN"], "plot": ["curves", "RUN"], "list": ["losses"],
    }  # fmt: skip
    words = starts[verb] if chance.random() < 0.6 else []
    words = [*words, *chance.choices(WORDS, k=chance.choice((0, 1, 2, 4)))]
    words = [str(places.get(word, word)) for word in words]
    if verb == "finetune" and "--dry-run" not in words:
        words.append("--dry-run")
    if verb == "crossval" and "--plan" not in words:
        words.append("--plan")
    os.chdir(folder / "scratch")
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
            code = main([verb, *words])
    except SystemExit as end:
        code = end.code
    except Exception as error:
        raise type(error)(f"{' '.join([verb, *words])}: {error}") from error
    _expect(code in (0, 1, 2), f"exit code {code} of {verb} {words}")
    _expect("Traceback" not in said.getvalue(), f"a traceback of {verb} {words}")


KINDS = {
    "pictures": Kind(0.3, look_at_picture),
    "tables": Kind(0.16, look_at_table),
    "layouts": Kind(0.12, look_at_layout),
    "recipes": Kind(0.04, look_at_recipe),
    "finished runs": Kind(0.12, look_at_run),
    "unfinished runs": Kind(0.14, look_at_unfinished),
    "weights": Kind(0.08, look_at_weights),
    "studies": Kind(0.03, look_at_study),
    "command lines": Kind(0.01, look_at_command),
}


# Batches in forked processes.


def run_batch(folder: Path, kind: str, seeds: range) -> list[tuple[int, str]]:
    """Look at inputs in a process of their own; (seed, what is wrong) of each that ended badly."""
    reading, writing = os.pipe()
    process = os.fork()
    if not process:
        os.close(reading)
        _child(folder, kind, seeds, os.fdopen(writing, "w"))
    os.close(writing)
    with os.fdopen(reading) as lines:
        told = [json.loads(line) for line in lines]
    _, status, usage = os.wait4(process, 0)
    problems = [(entry["seed"], entry["problem"]) for entry in told if entry["problem"]]
    if status:
        last = told[-1]["seed"] if told else seeds.start
        how = "hang" if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGALRM else f"crash ({status})"
        problems.append((last, how))
        problems += run_batch(folder, kind, range(last + 1, seeds.stop)) if last + 1 < seeds.stop else []
    if usage.ru_maxrss * 1024 > MOST_BYTES:
        problems.append((seeds.start, f"memory: {usage.ru_maxrss / 2**20:.1f} GiB in the batch"))
    return problems


def _child(folder: Path, kind: str, seeds: range, tell: Any) -> None:
    from finegrained_crl.errors import FinegrainedError

    with contextlib.suppress(BaseException):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    copy = Path(tempfile.mkdtemp(dir=folder.parent))
    try:
        shutil.copytree(folder, copy / "c")
        for seed in seeds:
            print(json.dumps({"seed": seed, "problem": ""}), file=tell, flush=True)
            signal.alarm(HANG_SECONDS)
            problem = ""
            try:
                KINDS[kind].look(copy / "c", random.Random(f"{kind} {seed}"))
            except FinegrainedError as error:
                problem = "an error of several lines" if "\n" in str(error).strip() else ""
            except SilentError as error:
                problem = f"silent: {error}"
            except BaseException:
                problem = "traceback: " + "".join(traceback.format_exc().splitlines(keepends=True)[-7:])
            signal.alarm(0)
            if problem:
                print(json.dumps({"seed": seed, "problem": problem}), file=tell, flush=True)
    finally:
        shutil.rmtree(copy, ignore_errors=True)
        tell.flush()
        os._exit(0)


def preload() -> None:
    """Import what readers import, so that a fork starts at once."""
    import matplotlib.pyplot  # noqa: F401
    import pyarrow.parquet  # noqa: F401
    import safetensors.torch  # noqa: F401
    import torch

    import finegrained_crl.cli.finetune
    import finegrained_crl.cli.settings
    import finegrained_crl.crossval.collect
    import finegrained_crl.training.loop
    import finegrained_crl.training.session  # noqa: F401

    torch.set_num_threads(1)


def fuzz(folder: Path, cases: int, seed: int, only: str = "") -> dict[str, Any]:
    """Make the corpus, look at so many inputs; per kind the number looked at and the problems found."""
    corpus = folder / "corpus"
    corpus.mkdir()
    make_corpus(corpus)
    found: dict[str, Any] = {}
    for name, kind in KINDS.items():
        if only not in name:
            continue
        number, problems = max(1, round(cases * kind.share)), []
        for start in range(0, number, BATCH):
            first = seed * 10_000_000 + start
            problems += run_batch(corpus, name, range(first, first + min(BATCH, number - start)))
        found[name] = {"inputs": number, "problems": problems}
        _tell(name, number, problems)
    return found


def _tell(name: str, number: int, problems: list[tuple[int, str]]) -> None:
    print(f"{name}: {number} inputs, {len(problems)} problems", flush=True)
    counts = Counter(problem for _, problem in problems)
    for problem, times in counts.most_common(12):
        example = next(seed for seed, text in problems if text == problem)
        print(f"  {times} x (e.g. seed {example}) {problem}", flush=True)


def main(argv: list[str] | None = None) -> int:
    """Fuzz and count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=50_000, help="inputs in all [50000]")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="kinds whose name holds this")
    asked = parser.parse_args(argv)
    preload()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        found = fuzz(Path(folder), asked.cases, asked.seed, asked.only)
    total = sum(entry["inputs"] for entry in found.values())
    bad = sum(len(entry["problems"]) for entry in found.values())
    print(f"{total} inputs, {bad} problems")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
