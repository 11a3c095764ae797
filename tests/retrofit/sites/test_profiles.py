"""Profiles: read from beside the plugins, matched by content, and turned into a choice."""

import hashlib
import sys
from pathlib import Path

import pytest
import torch

from finegrained_crl.cli.main import main
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.retrofit.account.ledger import Ledger
from finegrained_crl.retrofit.running.dispatch import Dispatcher
from finegrained_crl.retrofit.scan import scan
from finegrained_crl.retrofit.shims.names import check_shims
from finegrained_crl.retrofit.sites.decision import Choice
from finegrained_crl.retrofit.sites.place import check_sites
from finegrained_crl.retrofit.sites.profiles import Profile, apply_profile, find_profile, profiles, recognise
from finegrained_crl.retrofit.sites.settings import Settings

LOOP = (
    "def train(crit, out, swap, y):\n    loss = crit(out, y)\n    loss_swap = crit(swap, y)\n    (loss +"
    " loss_swap).backward()\n"
)
MAIN = "from torch import nn\nfrom loop import train\ntrain(nn.CrossEntropyLoss(), 1, 2, 3)\n"


@pytest.fixture
def repo(tmp_path, monkeypatch):
    (tmp_path / "loop.py").write_text(LOOP)
    (tmp_path / "main.py").write_text(MAIN)
    known = {
        "repository": "somebody/something",
        "files": {
            name: hashlib.sha256(text.encode()).hexdigest() for name, text in {"loop.py": LOOP, "main.py": MAIN}.items()
        },
        "sites": {"loop.py:2": "class", "loop.py:3": "swap"},
        "only": ["loop.py:2"],
        "shims": ["cpu"],
        "command": "fgcrl retrofit run --profile mine -- python main.py",
    }
    mine = Profile("mine", [known])
    monkeypatch.setattr("finegrained_crl.retrofit.sites.profiles.profiles", lambda: iter([mine]))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_shipped_profiles_are_complete():
    found = {profile.name: profile for profile in profiles()}
    assert set(found) == {"adience", "bcnn", "dcl", "dfl"}
    for profile in found.values():
        for known in profile.repositories:
            assert set(known) == {"repository", "commit", "files", "sites", "only", "shims", "command"}
            assert all(len(digest) == 64 for digest in known["files"].values())
            check_sites([*known["sites"], *known["only"]])
            assert set(known["only"]) <= set(known["sites"])
            assert check_shims(known["shims"]) == known["shims"]
            assert f"--profile {profile.name} -- python " in known["command"]
    assert found["dcl"].only() == ("utils/train_model.py:93",)
    assert found["dcl"].roles()["utils/train_model.py:109"] == "swap"
    assert found["adience"].only() == ("main.py:187",)
    assert len(found["dfl"].only()) == 3


def test_a_repository_is_recognised_by_its_files(repo):
    assert recognise(repo).name == "mine"
    (repo / "loop.py").write_bytes(LOOP.replace("\n", "\r\n").encode())
    assert "files as known" in recognise(repo).describe(repo)
    (repo / "loop.py").write_text(LOOP + "# more\n")
    assert "some files differ" in recognise(repo).describe(repo)
    (repo / "main.py").write_text(MAIN + "# more\n")
    assert recognise(repo) is None


def test_the_default_is_the_papers_and_the_user_wins(repo):
    chosen = find_profile("mine").choice(Choice(), repo)
    assert [s.action for s in scan(repo, chosen).sites if s.kind == "call"] == ["replace", "leave"]
    both = find_profile("mine").choice(Choice(only=("loop.py:3",)), repo)
    assert [s.action for s in scan(repo, both).sites if s.kind == "call"] == ["leave", "replace"]
    settings = apply_profile("mine", Settings(shims=("old-torch",)))
    assert (settings.only, settings.shims) == (("loop.py:2",), ("old-torch", "cpu"))
    with pytest.raises(FinegrainedError, match="did you mean 'mine'"):
        find_profile("mime")


def test_scan_shows_the_profile_and_its_command(repo, capsys):
    assert main(["retrofit", "scan", str(repo)]) == 0
    out = capsys.readouterr().out
    assert "known repository: profile mine (somebody/something, files as known)" in out
    assert "run it: fgcrl retrofit run --profile mine -- python main.py" in out


def test_profiles_lie_where_a_wheel_has_them():
    import finegrained_crl_plugins

    assert all((Path(p) / "dcl" / "retrofit.yaml").exists() for p in finegrained_crl_plugins.__path__)


@pytest.mark.parametrize(("role", "is_replaced"), [("age", True), ("gender", False)])
def test_a_role_of_a_profile_decides_in_a_run(role, is_replaced, tmp_path):
    place = f"{Path(__file__).name}:{sys._getframe().f_lineno + 8}"
    settings = Settings(root=str(Path(__file__).parent), roles={place: role}, only=("age",), phase="both")
    dispatcher = Dispatcher(settings, Ledger(tmp_path))
    scores, target = torch.zeros(2, 3, requires_grad=True), torch.tensor([0, 1])

    def hook():
        return dispatcher.cross_entropy(scores, target, None, None, -100, None, "mean", 0.0)

    value, _ = hook()
    assert (value is not None) == is_replaced
