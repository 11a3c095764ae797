"""Every `fgcrl` line of README and docs runs as it stands, in small.

The data sets are generated or tiny ones in the official layout under the names of the docs, the foreign repository is a
stand-in; to a line that trains, flags for a tiny network are added. Lines of one page run in its order, in one folder.
"""

import re
import shlex
import shutil
from importlib.metadata import EntryPoint
from pathlib import Path

import pandas as pd
import pytest
from drawn_faces import drawn_face, photograph
from PIL import Image
from safetensors.torch import save_file
from small_pictures import make_cifar10
from studies_here import crossval_here

from finegrained_crl import discovery
from finegrained_crl.cli.main import main
from finegrained_crl.retrofit import launch
from finegrained_crl_datasets import demo_birds, demo_faces, demo_small

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands(page):
    text = re.sub(r"\\\n\s*", "", page.read_text())
    lines = re.findall(r"^ {4,}((?:fgcrl|torchrun|accelerate) .*)$", text, re.MULTILINE)
    parts = [part.strip() for line in lines for part in line.split(";")]
    return [part for part in parts if ": error:" not in part and part.startswith(("fgcrl", "torchrun", "accelerate"))]


LINES = [(page.name, line) for page in PAGES for line in commands(page)]

TINY = (
    "--backbone test_resnet --weights none --image-size 64 --epochs 1 --batch-size 8 --precision fp32"
    " --memory-format contiguous --lr 0.001"
)
OF_METHOD = {
    "bcnn": "--method.reduce 4 --method.stage1-epochs 1",
    "dfl": "--method.filters 2",
}
TRAIN_PY = """
import torch
from torch import nn

net = nn.Linear(4, 3)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
inputs, labels = torch.randn(8, 4), torch.arange(8) % 3
"""


def make_repository(folder):
    """A training program whose loss is computed in line 36 of train.py."""
    head = TRAIN_PY.strip().splitlines()
    padding = ["# a comment"] * (34 - len(head))
    body = ["for step in range(5):", "    loss = criterion(net(inputs), labels)", "    optimizer.zero_grad()"]
    body += ["    loss.backward()", "    optimizer.step()"]
    folder.mkdir()
    (folder / "train.py").write_text("\n".join([*head, *padding, *body]) + "\n")


def make_table(folder, source):
    """A CSV under all the column names that docs and recipes use."""
    shutil.copytree(source, folder / "cars_train")
    source, rows = folder / "cars_train", []
    for path in sorted(source.rglob("*.png")):
        split, name = path.parts[-3], path.parent.name
        names = dict.fromkeys(("path", "file", "filename"), str(path.relative_to(folder / "cars_train")))
        rows.append({**names, **dict.fromkeys(("label", "species", "class_name"), name), "split": split})
    table = pd.DataFrame(rows)
    for column in ("path", "file"):  # the recipe of the cars names their folder, the others name the files from here
        table[column] = "cars_train/" + table[column]
    table.to_csv(folder / "labels.csv", index=False)


def make_utkface(folder, source):
    (folder / "images").mkdir(parents=True)
    rows = []
    for i, path in enumerate(sorted(source.rglob("*.png"))):
        shutil.copy(path, folder / "images" / f"{i}.png")
        group = i % 8
        rows.append({"filename": f"{i}.png", "age_group_index": group, "age_group": f"g{group}", "age": 5 + 2 * i})
        rows[-1]["split"] = "test" if i // 8 % 3 == 2 else "train"
    pd.DataFrame(rows).to_csv(folder / "labels.csv", index=False)


def make_named_faces(folder, source):
    """Faces as UTKFace has them: the age is in the name."""
    folder.mkdir()
    for i, path in enumerate(sorted(source.rglob("*.png"))):
        shutil.copy(path, folder / f"{5 + 2 * i}_0_1_2017{i:04}.jpg.chip.png")


def make_parquet(folder, source):
    """Two Parquet tables with pictures inside, classes by number and, as from a note, by name."""
    folder.mkdir()
    for split in ("train", "test"):
        paths = sorted((source / split).rglob("*.png"))
        names = sorted({path.parent.name for path in paths})
        rows = [{"image": {"bytes": path.read_bytes(), "path": path.name}} for path in paths]
        table = pd.DataFrame(rows).assign(label=[names.index(path.parent.name) for path in paths])
        table["label_name"] = [path.parent.name for path in paths]
        table.to_parquet(folder / f"{split}-00000.parquet")


def make_photos(desk):
    """Photographs of drawn people, one of two together."""
    for number in range(6):
        folder = desk / "photos" / ("train" if number < 4 else "test") / ("old" if number % 2 else "young")
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(drawn_face(number, 120)).save(folder / f"{number}.png")
    Image.fromarray(photograph([(10, 20, 120), (160, 30, 150)], (200, 330))).save(desk / "party.jpg", quality=95)


@pytest.fixture(autouse=True)
def few_pictures(monkeypatch):
    """Demo sets of a few small pictures."""
    few = {"subjects_per_group": 15, "photos_per_subject": 1, "size": 32}
    faces, birds = demo_faces.make_demo_faces, demo_birds.make_demo_birds
    monkeypatch.setattr(faces, "__kwdefaults__", {**faces.__kwdefaults__, **few})
    few = {"num_classes": 2, "images_per_class": 4, "size": 48}
    monkeypatch.setattr(birds, "__kwdefaults__", {**birds.__kwdefaults__, **few})


@pytest.fixture(scope="module")
def desk(tmp_path_factory, tiny_folder):
    """A folder with everything that the docs' lines name."""
    desk = tmp_path_factory.mktemp("desk")
    shutil.copytree(tiny_folder, desk / "my_images")
    shutil.copytree(tiny_folder / "test", desk / "new_photos")
    Image.open(tiny_folder / "test" / "left" / "0.png").save(desk / "photo.jpg")
    make_table(desk, desk / "my_images")
    make_utkface(desk / "utkface_subset", desk / "my_images")
    make_named_faces(desk / "utkface_names", desk / "my_images")
    make_parquet(desk / "birds_parquet", desk / "my_images")
    demo_birds.make_demo_birds(desk / "birds", num_classes=3, images_per_class=12, size=64)
    shutil.copytree(desk / "birds" / "CUB_200_2011", desk / "CUB_200_2011")
    demo_faces.make_demo_faces(desk / "adience", subjects_per_group=15, photos_per_subject=1, size=32)
    make_photos(desk)
    make_cifar10(desk / "cifar-10-batches-py")
    make_cifar10(desk / "cifar10_jpeg")
    demo_small.make_demo_small(desk / "demo" / "small", images_per_class=12)
    save_file({}, desk / "tf_efficientnet_lite0.safetensors")
    make_repository(desk / "DCL")
    shutil.copy(desk / "DCL" / "train.py", desk / "train.py")
    (desk / "test_fold_is_0").mkdir()
    for name, people in (("train", "abc"), ("val", "def")):
        lines = "".join(f"{person}/{i}.jpg {i}\n" for person in people for i in range(2))
        (desk / "test_fold_is_0" / f"age_{name}.txt").write_text(lines)
    return desk


def in_small(words):
    """The words of a line with what makes it small; the first is the verb."""
    words = [{"$loss": "crl", "$seed": "0", "DIR": "CUB_200_2011"}.get(word, word) for word in words]
    words = [word.replace("$loss", "crl").replace("$seed", "0") for word in words]
    if words[0] == "probe":
        small = [*words, *TINY.split(), "--val-fraction", "0.4", "--seeds", "0", "--workers", "0", "--device", "cpu"]
        return [*small, "--cached-views", "0"]
    if words[0] == "tune":
        return [*words, *TINY.split(), "--seeds", "0", "--jobs", "1", "--device", "cpu", "--plan"]
    if words[0] not in ("finetune", "crossval"):
        return words
    method = words[words.index("--method") + 1] if "--method" in words else ""
    small = [*words, *TINY.split(), *OF_METHOD.get(method, "").split()]
    if words[0] == "finetune":
        small += ["--workers", "0"]
    else:
        small += ["--seeds", "0", "--jobs", "1", "--device", "cpu"]
        small += ["--image-size", "32"] if method else []
        small += ["--val-fraction", "0"] if "utkface_subset" in words else []
        has_folds = not {"--methods", "--split", "demo/small", "cifar10-cpu"} & {*words}
        small += ["--folds", "0"] if has_folds else []
    return small


SLOW = {
    # What takes seconds, and the fast line or test of the same.
    "results.md: fgcrl crossval --recipe demo-faces": "README.md: fgcrl crossval --method adience",
    "results.md: fgcrl probe": "ages.md: fgcrl probe",
    "results.md: fgcrl crossval --recipe small-cpu --label-smoothing": "ages.md: fgcrl finetune --recipe small-cpu",
    "training.md: fgcrl crossval --study crl-2019/table-1": "training.md: fgcrl crossval --study crl-2019/table-3",
    "training.md: fgcrl crossval --methods": "README.md: fgcrl crossval --methods",
    "results.md: fgcrl crossval --methods resnet dfl": "README.md: fgcrl crossval --methods",
    "README.md: fgcrl explain runs/first": "training.md: fgcrl explain runs/first",
    "README.md: fgcrl export runs/first": "tests/cli/test_export.py",
    "using.md: fgcrl export runs/first --format onnx": "tests/cli/test_export.py",
    "statistics.md: fgcrl probe": "README.md: fgcrl probe",
    "data.md: fgcrl data make demo-faces": "results.md: fgcrl data make demo-faces",
    "README.md: fgcrl finetune --method bcnn": "tests/plugins/bcnn/test_runs.py",
    "README.md: fgcrl finetune --method dfl": "tests/plugins/dfl/test_runs.py",
}
NEEDED = {
    # A slow line's folder that a fast line makes, which may not have run: `pytest -m slow`.
    "results.md: fgcrl crossval --recipe demo-faces": ("faces", "results.md: fgcrl data make demo-faces"),
    "README.md: fgcrl explain runs/first": ("runs/first", "README.md: fgcrl finetune --data my_images"),
    "README.md: fgcrl export runs/first": ("runs/first", "README.md: fgcrl finetune --data my_images"),
    "using.md: fgcrl export runs/first --format onnx": ("runs/first", "README.md: fgcrl finetune --data my_images"),
}
IDS = {f"{page}: {line}": (page, line) for page, line in LINES}


def starting(begin):
    """The first line of the docs that begins so."""
    return next(line for name, line in IDS.items() if name.startswith(begin))


def marked(page, line):
    is_slow = any(f"{page}: {line}".startswith(begin) for begin in SLOW)
    return pytest.param(page, line, id=f"{page}: {line[:70]}", marks=[pytest.mark.slow] * is_slow)


def test_slow_lines_and_their_fast_twins_stand_in_the_docs():
    for slow, fast in SLOW.items():
        starting(slow)
        assert (ROOT / fast).is_file() if fast.startswith("tests/") else starting(fast)


@pytest.mark.parametrize(("page", "line"), [marked(*line) for line in LINES])
def test_line(page, line, desk, monkeypatch, capfd, request):
    for begin, (place, needed) in NEEDED.items():
        if f"{page}: {line}".startswith(begin) and not (desk / place).exists():
            run_line(*starting(needed), desk, monkeypatch, capfd, request)
    run_line(page, line, desk, monkeypatch, capfd, request)


def run_line(page, line, desk, monkeypatch, capfd, request):
    if line.startswith("fgcrl report") and page != "README.md":
        request.getfixturevalue("no_charts")  # the README's line draws them
    monkeypatch.chdir(desk)
    if line.startswith("fgcrl retrofit") and (forks := request.getfixturevalue("forks")):
        monkeypatch.setattr(launch, "subprocess", forks)  # fresh starts of programs are tests/retrofit's
    monkeypatch.syspath_prepend(ROOT / "tests" / "third_party" / "finegrained_gem")
    if "gem" in line:
        example = EntryPoint("gem", "finegrained_gem:GeM", discovery.METHODS)
        monkeypatch.setattr(discovery, "entry_points", lambda *, group: [example] if group == discovery.METHODS else [])
    line = line.replace(" > crl.patch", "")
    words = shlex.split(re.sub(r"\[.*?\]", "", line), comments=True)
    if words[0] == "torchrun":
        words = words[words.index("finegrained_crl") :]  # in one process; several are tests/cli/test_finetune.py's
    words = in_small(words[1:])
    if words[0] == "finetune" and "--resume" not in words:
        shutil.rmtree(words[words.index("--out") + 1], ignore_errors=True)
    if words[0] == "crossval":
        # Each study that a page reports on is trained once; elsewhere it is planned, which checks all but the training.
        is_trained = page == ("results.md" if "--methods" in words else "README.md") or "utkface_subset" in words
        is_trained = is_trained or "demo-faces" in words
        if is_trained:
            shutil.rmtree(words[words.index("--out") + 1], ignore_errors=True)
        else:
            words[words.index("--out") + 1] = "studies/planned"
        assert crossval_here(*words[1:], *([] if is_trained else ["--plan"])) == 0, capfd.readouterr().err
        return
    if words[0] == "tune":
        assert crossval_here(*words[1:], verb="tune") == 0, capfd.readouterr().err
        return
    if words[:2] == ["data", "make"]:
        words = [re.sub("^(CUB_200_2011|demo/small)$", f"made/{page}-{words[2]}", word) for word in words]
    if words[0] == "probe":
        shutil.rmtree(words[words.index("--out") + 1], ignore_errors=True)
    monkeypatch.setattr("webbrowser.open", lambda address: True)
    code = main(words)
    said = capfd.readouterr()
    # What verify and audit say of a miniature is that it isn't the whole set: that is an answer, not a failure.
    assert code == 0 or (words[:2] in (["data", "verify"], ["data", "audit"]) and "error" not in said.err), said.err
    assert (said.out + said.err).strip()
