"""`fgcrl push` against a hub on this machine: what arrives, that timm loads it from there, and what is said offline."""

import json

import huggingface_hub
import huggingface_hub.constants
import pytest
import timm
import yaml
from stub_hub import stub_hub

from finegrained_crl.cli.main import main
from finegrained_crl.training.predictor import Predictor


@pytest.fixture(scope="module")
def run(tiny_flags, tmp_path_factory):
    folder = tmp_path_factory.mktemp("push") / "run"
    assert main(["finetune", *tiny_flags, "--epochs", "1", "--out", str(folder)]) == 0
    return folder


@pytest.fixture
def at(monkeypatch, tmp_path):
    """Makes an address the hub of huggingface_hub, with a token and an empty cache."""

    def point(address):
        constants = huggingface_hub.constants
        monkeypatch.setattr(constants, "ENDPOINT", address)
        template = address + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setenv("HF_TOKEN", "hf_stub")

    return point


FILES = ["README.md", "config.json", "model.safetensors", "preprocessing.json", "recipe.yaml"]


def test_what_is_pushed_is_loaded_from_the_hub_by_timm(run, at, capsys):
    with stub_hub() as hub:
        at(hub.address)
        capsys.readouterr()
        assert main(["push", str(run), "user/birds", "--private"]) == 0
        assert f"pushed: {hub.address}/user/birds" in capsys.readouterr().out
        assert sorted(hub.files) == FILES
        made = hub.made[0]
        assert made["name"] == "birds"
        assert made.get("visibility") == "private" or made.get("private") is True  # as the library's version says it
        net = timm.create_model("hf-hub:user/birds", pretrained=True)
    own = Predictor(run, device="cpu").trainee.model.exported().state_dict()
    assert all((value == own[name]).all() for name, value in net.state_dict().items())
    assert net.pretrained_cfg["label_names"] == ["left", "middle", "right"]


def test_the_card_says_how_to_load_and_names_no_place_of_this_machine(run, tiny_folder, capsys):
    capsys.readouterr()
    assert main(["push", str(run), "user/birds", "--dry-run", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert sorted(told["files"]) == FILES
    assert told["url"] is None
    assert 'timm.create_model("hf-hub:user/birds", pretrained=True)' in told["card"]
    head = yaml.safe_load(told["card"].split("---")[1])
    assert head["library_name"] == "timm"
    assert str(tiny_folder) not in told["card"]


def test_nothing_of_this_machine_is_in_the_files(run, tiny_folder, at):
    with stub_hub() as hub:
        at(hub.address)
        assert main(["push", str(run), "user/birds"]) == 0
    assert not any(str(tiny_folder).encode() in content for content in hub.files.values())
    recipe = yaml.safe_load(hub.files["recipe.yaml"])
    assert recipe["backbone"] == "test_resnet"


def test_a_method_of_our_own_is_pushed_as_weights_and_recipe(tiny_flags, tmp_path, at):
    words = ["--method", "bcnn", "--method.reduce", "4", "--method.stage1-epochs", "1", "--epochs", "1"]
    assert main(["finetune", *tiny_flags, *words, "--out", str(tmp_path / "run")]) == 0
    with stub_hub() as hub:
        at(hub.address)
        assert main(["push", str(tmp_path / "run"), "user/birds"]) == 0
    assert sorted(hub.files) == FILES
    card = hub.files["README.md"].decode()
    assert "library_name: finegrained-crl" in card
    assert "create_model" not in card


def test_weights_of_a_loss_are_pushed_too(tiny_flags, tmp_path, at):
    assert main(["finetune", *tiny_flags, "--loss", "pedcc", "--epochs", "1", "--out", str(tmp_path / "run")]) == 0
    with stub_hub() as hub:
        at(hub.address)
        assert main(["push", str(tmp_path / "run"), "user/birds"]) == 0
    assert sorted(hub.files) == sorted([*FILES, "loss.safetensors"])


def test_a_repository_that_is_there_is_used(run, at, monkeypatch, capsys):
    asked = {}
    monkeypatch.setattr(
        huggingface_hub.HfApi, "create_repo", lambda self, name, **how: asked.update(how) or "an address"
    )
    monkeypatch.setattr(huggingface_hub.HfApi, "upload_folder", lambda self, **how: None)
    assert main(["push", str(run), "user/birds"]) == 0
    assert asked == {"private": False, "exist_ok": True}
    assert "pushed: an address" in capsys.readouterr().out


def test_a_dry_run_contacts_nobody(run, at, capsys):
    with stub_hub() as hub:
        at(hub.address)
        capsys.readouterr()
        assert main(["push", str(run), "user/birds", "--dry-run"]) == 0
        assert hub.asked == []
    said = capsys.readouterr().out
    assert "dry run: nothing was sent" in said
    assert all(name in said for name in FILES)


def test_weights_that_the_run_lacks_are_one_line(run, capsys):
    capsys.readouterr()
    assert main(["push", str(run), "user/birds", "--dry-run", "--weights", "selected"]) == 1
    assert "has no 'selected' weights" in capsys.readouterr().err


def test_offline_is_one_line(run, at, capsys):
    with stub_hub() as hub:
        at(hub.address)
    capsys.readouterr()
    assert main(["push", str(run), "user/birds"]) == 1
    said = capsys.readouterr().err
    assert f"{hub.address} can't be reached" in said
    assert "nothing was pushed; --dry-run shows the files" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(("status", "text"), [(401, "log in with `hf auth login`"), (400, "refuses user/birds")])
def test_a_refusal_is_one_line(run, at, capsys, status, text):
    with stub_hub(status) as hub:
        at(hub.address)
        capsys.readouterr()
        assert main(["push", str(run), "user/birds"]) == 1
    said = capsys.readouterr().err
    assert text in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("name", ["birds", "user/bi rds", "a/b/c", "user/--x"])
def test_a_name_that_the_hub_does_not_take_is_refused_first(name, capsys):
    assert main(["push", "/nowhere", "--dry-run", name]) == 1
    said = capsys.readouterr().err
    assert "is no name of a repository" in said
    assert said.count("\n") == 1
