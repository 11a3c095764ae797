"""Two launchers that begin a study, or add to it, at once."""

import threading

import pytest
from stub_cells import study_of

from finegrained_crl.crossval.leases import End, Leases
from finegrained_crl.crossval.planning import PLAN, write_plan
from finegrained_crl.crossval.study import Study, StudyFolder
from finegrained_crl.crossval.worker import Heart, Worker
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.training.recipe import Component, Recipe


def plan(*seeds, threads=1):
    return Study({"ce": Recipe(data="x", loss=Component("ce"))}, [None], list(seeds), threads)


def test_many_may_begin_one_study(tmp_path):
    written, start = [], threading.Barrier(4)

    def begin(threads):
        start.wait()
        written.append(write_plan(StudyFolder(tmp_path / "study"), plan(0, 1, threads=threads)))

    launchers = [threading.Thread(target=begin, args=(i + 1,)) for i in range(4)]
    for launcher in launchers:
        launcher.start()
    for launcher in launchers:
        launcher.join()
    assert len(written) == 4
    assert {study.threads for study in written} == {StudyFolder(tmp_path / "study").read().threads}


def test_a_plan_that_another_one_writes_meanwhile_is_no_foreign_file(tmp_path):
    class Overtaken(StudyFolder):
        """Another launcher writes the plan right after this one looked for it."""

        @property
        def exists(self):
            was_there = super().exists
            if not was_there:
                StudyFolder(self.folder).write(plan(0))
            return was_there

    Overtaken(tmp_path / "study").check(plan(0))
    assert StudyFolder(tmp_path / "study").exists
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").touch()
    with pytest.raises(FinegrainedError, match="is not empty and holds no study"):
        StudyFolder(tmp_path / "other").check(plan(0))


def test_who_adds_waits_for_who_writes(tmp_path):
    folder, _ = study_of(tmp_path, 1)
    heart = Heart(tmp_path / "claims" / "workers", Worker("other"))
    leases = Leases(tmp_path, heart)
    lease = leases.claim(PLAN)
    adding = threading.Thread(target=write_plan, args=(folder, plan(0, 1, 2)))
    adding.start()
    adding.join(0.3)
    assert adding.is_alive()
    assert folder.read().seeds == [0]
    leases.end(lease, End("released"))
    adding.join(60)
    assert folder.read().seeds == [0, 1, 2]


def test_nothing_is_written_into_what_is_no_study(tmp_path):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(FinegrainedError, match="holds no study"):
        write_plan(StudyFolder(tmp_path), plan(0))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_folder_that_a_killed_launcher_left_without_a_plan_may_be_used(tmp_path):
    heart = Heart(tmp_path / "claims" / "workers", Worker("killed", machine="another"))
    Leases(tmp_path, heart).claim("ce_s0")
    assert write_plan(StudyFolder(tmp_path), plan(0)).seeds == [0]
