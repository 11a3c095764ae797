"""Each flag of `predict`, `explain`, `report` and `crossval` changes what the command does; an ignored one fails by its
name, and so does one without a test here.

What `crossval` takes of a recipe is in test_every_setting.py.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from known_runs import known_flags
from known_set import CLASSES
from made_study import write_study
from PIL import Image
from stub_cells import study_of
from studies_here import Here, crossval_here

from finegrained_crl.cli import crossval, explain, predict, report, study_how
from finegrained_crl.cli.main import main
from finegrained_crl.crossval import ray_apart, ray_launcher, slurm
from finegrained_crl.crossval.orders import CancelledError, Orders
from finegrained_crl.crossval.study import StudyFolder
from finegrained_crl.training import predictor

HERE = Path(__file__)


def flags_of(parser):
    return {action.option_strings[-1] for action in parser._actions if action.option_strings} - {"--help"}


class Recorder:
    """Stands for crossval's parser: the names of its own flags."""

    def __init__(self):
        self.flags = set()

    def add_argument_group(self, _title):
        return self

    def add_argument(self, flag, **_how):
        self.flags.add(flag)


PAGE = "reports/page/test_page.py"
ELSEWHERE = {
    "--max-images": (PAGE, "test_no_more_pictures_than_asked_for"),
    "--near-copies": ("reports/page/test_near_copies.py", "test_many_pictures_are_looked_at_on_request"),
    "--anonymous": (PAGE, "test_an_anonymous_page_holds_nobody"),
    "--watch": (PAGE, "test_watching_ends_with_the_last_cell"),
    "--open": (PAGE, "test_the_page_opens_on_request"),
}
"""Flags of `report` that are tested beside its page."""


WORK = "cli/test_predict_at_work.py"
AT_WORK = {
    "--errors": "test_errors_go_where_asked_also_when_there_are_none",
    "--label-column": "test_labels_of_a_table_are_counted",
    "--top": "test_labels_of_a_table_are_counted",
    "--calibrate": "test_what_was_done_to_the_probabilities_stands_in_the_output",
    "--max-risk": "test_a_run_abstains_below_the_threshold_of_its_validation_part",
    "--every": "test_frames_of_a_video_are_pictures",
    "--frames": "test_frames_of_a_video_are_pictures",
    "--workers": "test_bad_files_stand_in_a_table_and_the_others_are_classified",
}
"""Flags of `predict` that are tested in a file of their own."""


YEARS = {"--interval": ("cli/test_years.py", "test_predict_tells_ages_and_intervals")}
"""Flags of `predict` for runs in years."""


OF_FACES = {
    "--faces": "test_a_row_per_face_says_what_the_run_says_of_its_crop",
    "--face-margin": "test_another_margin",
    "--draw": "test_a_drawn_photograph_has_its_faces_marked",
}
"""Flags of `predict` for faces, tested in a file of their own."""


UNTESTED = {"--select"}
"""Flags of `crossval` that have no test here yet; none may join them."""


def covered(command):
    """Flags whose tests are in this file, by their names."""
    names = [name for name in globals() if name.startswith(f"test_{command}_")]
    return {"--" + name.removeprefix(f"test_{command}_").replace("_", "-") for name in names}


def test_each_flag_has_its_test():
    own = Recorder()
    crossval.add_flags(own)
    assert covered("predict") | set(AT_WORK) | set(YEARS) | set(OF_FACES) == flags_of(predict._parser())
    assert covered("explain") == flags_of(explain._parser())
    assert covered("report") | set(ELSEWHERE) == flags_of(report._parser())
    faces = [("cli/test_predict_faces.py", test) for test in OF_FACES.values()]
    for path, test in [*ELSEWHERE.values(), *YEARS.values(), *((WORK, test) for test in AT_WORK.values()), *faces]:
        assert f"def {test}(" in (HERE.parents[1] / path).read_text()
    assert covered("crossval") | UNTESTED == own.flags


@pytest.fixture(scope="module")
def run(known, tmp_path_factory):
    """A run whose weights selected on validation say other classes than its last ones, which are its headline."""
    folder = tmp_path_factory.mktemp("flags") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(HERE.parents[1] / "third_party" / "knowing")
        words = known_flags(known, "--epochs", "4", "--method.best-at", "2", "--test-every", "4")
        assert main(["finetune", *words, "--out", str(folder)]) == 0
        yield folder


@pytest.fixture
def pictures(known):
    return [str(known.csv.parent / path) for path in known.part("test")["path"]]


@pytest.fixture
def transparent(tmp_path):
    path = tmp_path / "transparent.png"
    Image.new("RGBA", (42, 42), (10, 200, 30, 90)).save(path)
    return str(path)


@pytest.fixture
def devices(monkeypatch):
    """The devices that are asked for."""
    seen, make = [], predictor.make_accelerator
    monkeypatch.setattr(
        predictor, "make_accelerator", lambda precision, device: seen.append(device) or make(precision, device)
    )
    return seen


@pytest.fixture
def said(capsys):
    """Runs a command; (exit code, stdout)."""

    def run(*words):
        capsys.readouterr()
        code = main([str(word) for word in words])
        return code, capsys.readouterr().out

    return run


def test_predict_out(run, pictures, said, tmp_path):
    _, table = said("predict", run, pictures[0])
    assert said("predict", run, pictures[0], "--out", tmp_path / "p.csv") == (
        0,
        f"1 predictions in {tmp_path / 'p.csv'}\n",
    )
    assert (tmp_path / "p.csv").read_text() == table


def test_predict_weights(run, pictures, said):
    plain, last, selected = (
        said("predict", run, *pictures, *words) for words in ([], ["--weights", "last"], ["--weights", "selected"])
    )
    assert plain == last != selected


def test_predict_path_column(run, pictures, said, tmp_path):
    pd.DataFrame({"path": pictures[:1], "file": pictures[1:2]}).to_csv(tmp_path / "list.csv", index=False)
    assert said("predict", run, tmp_path / "list.csv") == said("predict", run, pictures[0])
    assert said("predict", run, tmp_path / "list.csv", "--path-column", "file") == said("predict", run, pictures[1])


def test_predict_batch_size(run, pictures, said, monkeypatch):
    seen, scores = [], predictor.Predictor.scores
    monkeypatch.setattr(
        predictor.Predictor, "scores", lambda self, views: seen.append(len(views)) or scores(self, views)
    )
    said("predict", run, *pictures[:5])
    said("predict", run, *pictures[:5], "--batch-size", "2")
    assert seen == [5, 2, 2, 1]


def test_predict_device(run, pictures, said, devices):
    said("predict", run, pictures[0])
    said("predict", run, pictures[0], "--device", "cpu")
    assert devices == ["auto", "cpu"]


def test_predict_convert_images(run, transparent, said):
    assert said("predict", run, transparent)[0] == 1
    code, table = said("predict", run, transparent, "--convert-images")
    assert code == 0
    assert table.count("\n") == 2


def test_predict_json(run, pictures, said):
    _, table = said("predict", run, *pictures[:2])
    found = json.loads(said("predict", run, *pictures[:2], "--json")[1])
    assert [row["class"] for row in found["predictions"]] == [line.split(",")[1] for line in table.splitlines()[1:]]


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """What commands answered, by their words: each runs once, and most tests compare with the one without flags.

    `answers(kind, words, ask)` is `ask(folder)`, with a folder of its own that nobody may change.
    """
    known = {}

    def answer(kind, words, ask):
        key = (kind, *map(str, words))
        if key not in known:
            known[key] = ask(tmp_path_factory.mktemp(kind))
        return known[key]

    return answer


@pytest.fixture
def explained(run, pictures, said, answers):
    """What `explain` says of the first picture as JSON."""

    def explain_first(*words):
        def ask(folder):
            code, text = said("explain", run, pictures[0], "--out", folder / "out", "--json", *words)
            assert code == 0
            return json.loads(text)["images"][0]

        return answers("explained", words, ask)

    return explain_first


def test_explain_out(run, pictures, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said("explain", run, pictures[0])
    said("explain", run, pictures[0], "--out", "elsewhere")
    assert [path.as_posix() for path in sorted(Path().rglob("*.png"))] == ["elsewhere/0.png", "explained/0.png"]


def test_explain_class(explained):
    plain = explained()
    other = next(name for name in CLASSES if name != plain["predicted"])
    assert (plain["explained"], explained("--class", other)["explained"]) == (plain["predicted"], other)


def test_explain_beside(explained, run, tmp_path):
    shutil.copytree(run, tmp_path / "other")
    heights = [
        np.asarray(Image.open(explained(*words)["png"])).shape[0] for words in ([], ["--beside", tmp_path / "other"])
    ]
    assert heights[1] > 1.5 * heights[0]


def test_explain_weights(explained):
    plain, last, selected = (
        explained(*words)["top"] for words in ([], ["--weights", "last"], ["--weights", "selected"])
    )
    assert plain == last != selected


def test_explain_device(run, pictures, said, devices, tmp_path):
    for words in ([], ["--device", "cpu"]):
        assert said("explain", run, pictures[0], "--out", tmp_path, *words)[0] == 0
    assert devices == ["auto", "cpu"]


def test_explain_json(run, pictures, said, tmp_path):
    _, text = said("explain", run, pictures[0], "--out", tmp_path)
    assert text.startswith(f"{tmp_path / '0.png'}  0.png: ")
    assert (
        json.loads(said("explain", run, pictures[0], "--out", tmp_path, "--json")[1])["images"][0]["path"]
        == pictures[0]
    )


@pytest.fixture(scope="module")
def study(tmp_path_factory, no_charts_here):
    return write_study(tmp_path_factory.mktemp("report"), {"ce": 1.0, "crl": 1.2, "focal": 0.9}, seeds=(0,))


@pytest.fixture
def reported(study, said, answers):
    """The folder of the report that `fgcrl report` writes with some flags, and what it says."""

    def report_of(*words):
        def ask(folder):
            code, text = said("report", study, "--out", folder, *words)
            assert code == 0
            return folder, text

        return answers("reported", words, ask)

    return report_of


@pytest.fixture
def table(reported):
    """A table of that report."""
    return lambda name, *words: pd.read_csv(reported(*words)[0] / "tables" / f"{name}.csv")


def test_report_out(study, said, tmp_path):
    before = sorted(study.rglob("*"))
    said("report", study, "--out", tmp_path / "out")
    assert sorted(study.rglob("*")) == before
    assert (tmp_path / "out" / "report.md").is_file()


def test_report_baseline(table):
    assert set(table("differences")["baseline"]) == {"ce"}
    assert set(table("differences", "--baseline", "focal")["baseline"]) == {"focal"}


def test_report_decoder(table):
    exact = [table("cells", *words)["exact_accuracy"].tolist() for words in ([], ["--decoder", "mean"])]
    assert exact[0] != exact[1]
    assert exact[0] == table("cells", "--decoder", "argmax")["exact_accuracy"].tolist()


def test_report_accept_changed_data(tmp_path, said, no_charts_here):
    def changed(cell, frame, results):
        results["versions"]["python"] = cell.name
        return frame

    folder = write_study(tmp_path / "s", {"ce": 1.0}, folds=(0, 1), seeds=(0,), changed=changed)
    assert said("report", folder)[0] == 1
    assert said("report", folder, "--accept-changed-data")[0] == 0


def test_report_subgroup(tmp_path, said, capsys):
    def aged(cell, frame, results):
        return frame.assign(camera=["old", "new"] * (len(frame) // 2))

    folder = write_study(tmp_path / "aged", {"ce": 1.0, "crl": 1.2}, seeds=(0,), changed=aged)
    assert said("report", folder, "--subgroup", "camera", "--out", tmp_path / "out")[0] == 0
    table = pd.read_csv(tmp_path / "out" / "tables" / "subgroups.csv")
    assert set(table["column"]) == {"gender", "camera"}
    assert set(table.loc[table["column"] == "camera", "value"]) == {"old", "new"}
    assert main(["report", str(folder), "--subgroup", "camrea"]) == 1
    assert "did you mean 'camera'?" in capsys.readouterr().err


def test_report_compare(study, said, tmp_path):
    shutil.copytree(study, tmp_path / "other")
    code, told = said("report", "--compare", study, tmp_path / "other", "--out", tmp_path / "both", "--json")[:2]
    assert code == 0
    variants = {row["variant"] for row in json.loads(told)["variants"]}
    assert {name.partition(" of=")[2] for name in variants} == {study.name, "other"}


def test_report_rope(reported):
    plain, wide = ((reported(*words)[0] / "report.md").read_text() for words in ([], ["--rope", "2"]))
    assert plain != wide


def test_report_json(reported):
    assert "Losses, last weights" in reported()[1]
    folder, text = reported("--json")
    assert json.loads(text)["files"][0] == str(folder / "report.md")


# crossval: the plan as JSON, the recipes of its cells, the machine.

BASE = "--dataset table --backbone test_resnet --weights none --image-size 32 --batch-size 8 --loss ce"


@pytest.fixture
def base(known):
    return [*BASE.split(), "--data", str(known.csv.parent / "folds.csv")]


@pytest.fixture
def planned(base, capsys, answers):
    """The plan that `fgcrl crossval` makes of flags, as JSON."""

    def plan(*words):
        def ask(folder):
            capsys.readouterr()
            assert crossval_here(*base, "--out", folder / "study", "--plan", "--json", *words) == 0
            return json.loads(capsys.readouterr().out)

        return answers("planned", words, ask)

    return plan


@pytest.fixture
def machines(begun, answers):
    """The same as `begun`, once for the same flags."""
    return lambda *words: answers("machines", words, lambda folder: begun(folder / "study", *words))


@pytest.fixture
def begun(base, monkeypatch):
    """The machine with which `fgcrl crossval` would run its cells, and their recipes."""
    monkeypatch.setattr(crossval, "processes", Here)
    monkeypatch.setattr(crossval, "_expected", lambda *_: (1.0, ""))
    seen = []

    def stop(folder, study, machine, _starter):
        seen.append((machine, [yaml.safe_load(folder.recipe(cell).read_text()) for cell in study.cells]))
        raise KeyboardInterrupt

    monkeypatch.setattr(crossval, "_run", stop)

    def begin(out, *words):
        assert main(["crossval", *base, "--out", str(out), *words]) == 130
        return seen[-1]

    return begin


def test_crossval_study(machines):
    words = ["--study", "crl-2019/table-3", "--part", "svhn", "--scale", "cpu-smoke"]
    typed = ["--dataset", "table", "--pictures-per-class", "0", "--grid", "lr=0.1", "--folds", "0"]
    recipe = machines(*words, *typed)[1][0]
    assert (recipe["schedule"], recipe["epochs"], recipe["decay_epochs"]) == ("multistep", 2, [1, 2])


def test_crossval_part(machines):
    typed = ["--dataset", "table", "--pictures-per-class", "0", "--grid", "lr=0.1", "--folds", "0"]
    for part, pad in (("svhn", 0), ("cifar10", 4)):
        recipe = machines("--study", "crl-2019/table-3", "--part", part, *typed)[1][0]
        assert recipe["pad"] == pad


def test_crossval_scale(machines):
    typed = ["--dataset", "table", "--pictures-per-class", "0", "--grid", "lr=0.1", "--folds", "0"]
    for scale, epochs in (("paper", 300), ("gpu-hour", 30)):
        recipe = machines("--study", "crl-2019/table-3", "--part", "cifar10", "--scale", scale, *typed)[1][0]
        assert recipe["epochs"] == epochs


def test_crossval_recipe(machines):
    (plain,), (other,) = (machines("--folds", "0", *words)[1] for words in ([], ["--recipe", "small-cpu"]))
    assert plain["lr"] != other["lr"]


def test_crossval_losses(planned):
    assert planned()["variants"] == ["ce"]
    assert planned("--losses", "crl", "focal")["variants"] == ["crl", "focal"]


def test_crossval_methods(planned, machines):
    words = ["--recipe", "small-cpu", "--image-size", "64"]
    assert planned(*words)["variants"] == ["ce"]
    assert planned(*words, "--methods", "resnet", "dfl")["variants"] == ["ce method=resnet", "ce method=dfl"]
    recipes = machines(*words, "--methods", "resnet", "dfl", "--folds", "0")[1]
    assert [recipe["method"]["name"] for recipe in recipes] == ["resnet", "dfl"]


def test_crossval_seeds(planned):
    assert planned()["seeds"] == [0]
    assert planned("--seeds", "3", "1")["seeds"] == [3, 1]


def test_crossval_folds(planned):
    assert planned()["folds"] == [0, 1]
    assert planned("--folds", "1")["folds"] == [1]


def test_crossval_grid(planned):
    assert planned("--grid", "lr=0.1,0.2")["variants"] == ["ce lr=0.1", "ce lr=0.2"]


def test_crossval_controls(planned):
    plain, one, all_of_them = (
        planned("--losses", "ce", "crl", *words)["variants"] for words in ([], ["--controls", "lr"], ["--controls"])
    )
    assert (len(plain), len(one), len(all_of_them)) == (2, 3, 6)


def test_crossval_out(base, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(crossval, "processes", Here)
    assert main(["crossval", *base]) == 1
    assert "--out is missing" in capsys.readouterr().err
    assert crossval_here(*base, "--out", tmp_path / "there", "--plan") == 0
    assert str(tmp_path / "there") in capsys.readouterr().out


def test_crossval_jobs(planned, machines):
    assert [planned()["jobs"], planned("--jobs", "2")["jobs"]] == [1, 2]
    assert [machines()[0].jobs, machines("--jobs", "2")[0].jobs] == [1, 2]


def test_crossval_share(machines, begun, monkeypatch, capsys, base, tmp_path):
    machine = machines("--share", "0.25")[0]
    assert (machine.jobs, machine.share) == (4, 0.25)
    machine = machines("--jobs", "3", "--share", "0.5")[0]
    assert (machine.jobs, machine.share) == (3, 0.5)
    monkeypatch.setattr(study_how, "visible_gpus", lambda: ("0", "2"))
    jobs = [begun(tmp_path / str(i), *words)[0].jobs for i, words in enumerate(([], ["--share", "0.25"]))]
    assert jobs == [2, 8]
    assert begun(tmp_path / "four", "--jobs", "4")[0].share == 0.5
    assert main(["crossval", *base, "--out", str(tmp_path / "no"), "--share", "1.5"]) == 1
    assert "--share must be from 1/64 to 1" in capsys.readouterr().err


@pytest.fixture
def submitted(base, tmp_path, monkeypatch, capsys):
    """What `fgcrl crossval --launcher slurm` hands to Slurm: script and study."""
    monkeypatch.setattr(slurm.shutil, "which", lambda _: None)

    def submit(*words):
        study = tmp_path / f"study{len(list(tmp_path.iterdir()))}"
        assert main(["crossval", *base, "--out", str(study), "--launcher", "slurm", "--device", "cpu", *words]) == 0
        return (study / "slurm" / "1.sbatch").read_text(), StudyFolder(study).read(), capsys.readouterr().out

    return submit


def test_crossval_launcher(submitted):
    script, study, said = submitted()
    assert "#SBATCH --array=0-1\n" in script
    assert len(study.cells) == 2
    assert "2 cells in an array of 2 tasks: written, not submitted" in said


@pytest.fixture
def clusters(base, tmp_path, monkeypatch):
    """The cluster on which `fgcrl crossval --launcher ray` would run a study."""
    seen = []

    class Seeing:
        status, failed = {}, {}

        def __init__(self, _folder, _study, _machine, cluster, _tell, _tick):
            seen.append(cluster)

        def run(self):
            pass

    monkeypatch.setattr(ray_launcher, "RayLauncher", Seeing)
    monkeypatch.setattr(ray_apart, "ApartLauncher", type("ApartSeeing", (Seeing,), {}))

    def run(*words):
        assert main(["crossval", *base, "--out", str(tmp_path / f"ray{len(seen)}"), "--launcher", "ray", *words]) == 0
        return seen[-1]

    return run


def test_crossval_address(clusters, base, tmp_path, capsys):
    plain = clusters()
    assert [plain.address, clusters("--address", "auto").address] == ["", "auto"]
    shares = [clusters(*words).share for words in (["--share", "0.25"], ["--device", "cpu"])]
    assert [plain.share, *shares] == [1.0, 0.25, 0.0]
    assert main(["crossval", *base, "--out", str(tmp_path / "no"), "--address", "auto"]) == 1
    assert "are for --launcher ray" in capsys.readouterr().err


def test_crossval_scratch(clusters):
    assert [clusters().scratch, clusters("--scratch", "/local").scratch] == ["", "/local"]


def test_crossval_bring(clusters, base, tmp_path, capsys):
    apart = clusters("--scratch", "/local", "--bring", "weights")
    assert [clusters().bring, apart.bring] == ["shared", "weights"]
    for words in (["--bring", "results"], ["--launcher", "ray", "--bring", "results"]):
        assert main(["crossval", *base, "--out", str(tmp_path / "no"), *words]) == 1
    assert "name it with --scratch" in capsys.readouterr().err


def test_crossval_slurm(submitted, base, tmp_path, capsys):
    script, study, _ = submitted("--slurm", "partition=gpu", "gres=gpu:1", "cpus-per-task=8", "--share", "0.25")
    assert "#SBATCH --partition=gpu\n#SBATCH --gres=gpu:1\n#SBATCH --cpus-per-task=8\n" in script
    assert study.threads == 2
    assert "--jobs 4 --share 0.25 --device cpu" in script
    assert "#SBATCH --partition=gpu\n" in submitted("--slurm=--partition=gpu --gres=gpu:1")[0]
    for words, message in (
        (["--slurm", "a=b"], "these are for --launcher slurm"),
        (["--launcher", "slurm", "--slurm", "array=1"], "array and signal are set here"),
        (["--launcher", "slurm", "--array-limit", "0"], "--array-limit must be at least 1"),
    ):
        assert main(["crossval", *base, "--out", str(tmp_path / "no"), *words]) == 1
        assert message in capsys.readouterr().err


def test_crossval_array_limit(submitted):
    script, _, said = submitted("--seeds", "0", "1", "2", "--array-limit", "4")
    assert "#SBATCH --array=0-3\n" in script
    assert "6 cells in an array of 4 tasks" in said


def test_crossval_plan(base, begun, tmp_path):
    assert crossval_here(*base, "--out", tmp_path / "study", "--plan", "--json") == 0
    assert list(tmp_path.iterdir()) == []
    begun(tmp_path / "study")
    assert (tmp_path / "study" / "study.yaml").is_file()


def test_crossval_cancel(base, tmp_path, capsys):
    assert main(["crossval", *base, "--out", str(tmp_path / "none"), "--cancel"]) == 1
    assert "holds no study" in capsys.readouterr().err
    study_of(tmp_path / "study", 2)
    running = Orders(tmp_path / "study")
    assert main(["crossval", "--out", str(tmp_path / "study"), "--cancel"]) == 0
    assert "asked all launchers to stop; 0 cells under way" in capsys.readouterr().out
    with pytest.raises(CancelledError):
        running.check()


def test_crossval_json(base, tmp_path, capsys):
    assert crossval_here(*base, "--out", tmp_path / "study", "--plan") == 0
    with pytest.raises(json.JSONDecodeError):
        json.loads(capsys.readouterr().out)
    assert crossval_here(*base, "--out", tmp_path / "study", "--plan", "--json") == 0
    assert json.loads(capsys.readouterr().out)["cells"] == 2


def test_crossval_device(machines):
    assert [machines()[0].device, machines("--device", "cpu")[0].device] == ["auto", "cpu"]


def test_crossval_checkpoint_seconds(machines):
    assert [machines()[0].checkpoint_seconds, machines("--checkpoint-seconds", "7")[0].checkpoint_seconds] == [
        60.0,
        7.0,
    ]


def test_crossval_data_in(machines):
    assert [machines()[0].data_in, machines("--data-in", "files")[0].data_in] == ["auto", "files"]


def test_crossval_accept_changed_data(machines):
    assert [machines(*w)[0].accept_changed_data for w in ([], ["--accept-changed-data"])] == [False, True]
