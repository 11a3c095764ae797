"""`fgcrl status` says what the census holds, and needs neither torch nor pandas."""

import json
import subprocess
import sys

from stub_cells import commit, study_of

from finegrained_crl.cli.main import main
from finegrained_crl.crossval.leases import End, LeaseFiles, Leases
from finegrained_crl.crossval.worker import Heart, Worker


def test_lines_and_json(tmp_path, capsys):
    folder, study = study_of(tmp_path, 30)
    heart = Heart(LeaseFiles(tmp_path).workers, Worker("w", host="node7", pid=42))
    heart.beat()
    leases = Leases(tmp_path, heart)
    commit(folder.run(study.cells[0]).folder)
    leases.end(leases.claim("ce_s0"), End("committed", seconds=1800.0))
    for i in range(1, 23):
        leases.end(leases.claim(f"ce_s{i}"), End("failed", f"no \x1b[31mluck {i}", seconds=10.0))
    leases.claim("ce_s23")
    assert main(["status", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "30 cells" in said
    assert "1 committed, 1 running, 22 failed, 6 waiting" in said
    assert "running: ce_s23: node7:42 (local), for 0 s" in said
    assert "luck 1\n" in said
    assert "\x1b" not in said
    assert "failed: 2 more; --json lists all" in said
    assert "expected end: in 3 h " in said
    assert "cost so far: 0.56 core hours (0.06 core hours in failures)" in said
    assert main(["status", str(tmp_path), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["cells"]["ce_s22"] == {"state": "failed", "tries": 1, "reason": "no \x1b[31mluck 22"}
    assert facts["counts"]["waiting"] == 6


def test_how_often_a_cell_was_tried_is_said_from_the_second_time_on(tmp_path, capsys):
    study_of(tmp_path, 2)
    leases = Leases(tmp_path, Heart(LeaseFiles(tmp_path).workers, Worker("w")))
    leases.end(leases.claim("ce_s0"), End("released"))
    for cell in ("ce_s0", "ce_s1"):
        leases.end(leases.claim(cell), End("failed", "diverged"))
    assert main(["status", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "  failed: ce_s0: diverged; tried 2 times" in lines
    assert "  failed: ce_s1: diverged" in lines


def test_no_study_is_one_line(tmp_path, capsys):
    assert main(["status", str(tmp_path)]) == 1
    assert "holds no study" in capsys.readouterr().err


def test_it_needs_neither_torch_nor_pandas(tmp_path):
    study_of(tmp_path, 2)
    code = (
        "import sys; sys.modules['torch'] = sys.modules['pandas'] = sys.modules['numpy'] = None\n"
        "from finegrained_crl.cli.main import main\n"
        f"sys.exit(main(['status', {str(tmp_path)!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "2 waiting" in done.stdout
