"""The run folder: whose it is, when it is done, what may not share it."""

import multiprocessing

import pytest

from finegrained_crl import files
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.training.progress import Progress, history_csv
from finegrained_crl.training.run_folder import FORMAT, RunFolder, differences


def test_a_new_folder_is_claimed_and_a_second_run_refused(tmp_path):
    run = RunFolder(tmp_path / "run")
    run.claim({"lr": 1}, resume=False)
    assert run.holds_run
    assert not run.is_done
    with pytest.raises(FinegrainedError, match="holds an unfinished run: add --resume"):
        run.claim({"lr": 1}, resume=False)
    run.claim({"lr": 1}, resume=True)
    with pytest.raises(FinegrainedError, match="lr: 1 there, 2 asked"):
        run.claim({"lr": 2}, resume=True)


def test_what_a_kill_left_does_not_count_as_content(tmp_path):
    (tmp_path / ".recipe.yaml.partial").write_text("lr")
    (tmp_path / ".lock").touch()
    run = RunFolder(tmp_path)
    run.claim({"lr": 1}, resume=False)
    assert run.recipe.read_text().startswith("lr: 1\n")


def test_auto_agrees_with_what_was_timed():
    assert differences({"precision": "bf16", "lr": 1}, {"precision": "auto", "lr": 1}) == []
    assert differences({"a": 1}, {"b": 2}) == ["a: 1 there, None asked", "b: None there, 2 asked"]


def test_results_of_another_format_are_refused(tmp_path):
    run = RunFolder(tmp_path)
    files.write_json(run.results, {"format": FORMAT + 1})
    with pytest.raises(FinegrainedError, match=f"has format {FORMAT + 1}, this version reads {FORMAT}"):
        run.read_results()


def _hold(folder, ready, done):
    with RunFolder(folder).lock():
        ready.set()
        done.wait(30)


def test_two_processes_may_not_train_in_one_folder(tmp_path):
    context = multiprocessing.get_context("fork")
    ready, done = context.Event(), context.Event()
    process = context.Process(target=_hold, args=(tmp_path, ready, done))
    process.start()
    assert ready.wait(30)
    with pytest.raises(FinegrainedError, match="another process is training in"), RunFolder(tmp_path).lock():
        pass
    process.kill()
    process.join()
    with RunFolder(tmp_path).lock():
        pass


def test_progress_survives_its_plain_form():
    progress = Progress(epoch=2, update=3)
    progress.add("images", 8)
    progress.add("loss/class", 16.0)
    progress.add("correct", 4)
    assert progress.means() == {"train_loss": 2.0, "train_accuracy": 0.5}
    assert Progress.from_dict(progress.as_dict()) == progress
    progress.add("loss/law", 8.0)
    assert progress.means() == {
        "train_loss": 3.0,
        "train_loss_class": 2.0,
        "train_loss_law": 1.0,
        "train_accuracy": 0.5,
    }


def test_the_best_epoch_is_the_first_of_equals():
    progress = Progress()
    assert progress.is_better(0.5)
    progress.close_epoch({"epoch": 1})
    assert not progress.is_better(0.5)
    assert progress.best_epoch == 1


def test_history_has_a_column_for_every_key():
    assert history_csv([{"epoch": 1, "a": 2}, {"epoch": 2, "b": None}]) == "epoch,a,b\n1,2,\n2,,\n"


def test_accepted_changes_are_kept_with_their_digest(tmp_path):
    run = RunFolder(tmp_path)
    assert run.read_changes() == []
    run.write_changes(["a label changed", "2 pictures are gone"])
    assert run.read_changes() == ["a label changed", "2 pictures are gone"]
    run.changes.write_text(run.changes.read_text().replace("2 pictures", "3 pictures"))
    with pytest.raises(FinegrainedError, match=r"changes\.json is damaged"):
        run.read_changes()
    run.changes.write_text('{"accepted": "all"}')
    with pytest.raises(FinegrainedError, match="is damaged"):
        run.read_changes()


def test_a_run_that_another_worker_took_over_is_not_committed(tmp_path, monkeypatch):
    run = RunFolder(tmp_path / "run")
    run.folder.mkdir()
    monkeypatch.setenv("FINEGRAINED_CRL_SUCCESSOR", str(tmp_path / "ce_s0.2"))
    (tmp_path / "ce_s0.2").touch()
    with pytest.raises(FinegrainedError, match="another worker has taken over the run"):
        run.commit()
    assert not run.is_done
    (tmp_path / "ce_s0.2").unlink()
    run.commit()
    assert run.is_done
