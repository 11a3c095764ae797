"""Names are found by folder and by entry point; two owners of one name are an error."""

import importlib.metadata
from importlib.metadata import EntryPoint

import pytest

from finegrained_crl import discovery
from finegrained_crl.data.source import DataSource
from finegrained_crl.errors import FinegrainedError, nearest
from finegrained_crl.training.method import Method


def test_shipped_names():
    assert {"cub200", "cars196", "adience", "image_folder", "table"} <= set(discovery.datasets())
    assert "resnet" in discovery.methods()
    assert set(discovery.makers()) == {"demo-birds", "demo-faces", "demo-small"}


def test_everything_shipped_keeps_its_contract():
    assert all(isinstance(load()(), Method) for load in discovery.methods().values())
    for load in discovery.datasets().values():
        source = load()()
        assert isinstance(source, DataSource)
        assert source.summary
        assert source.where


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(FinegrainedError, match="unknown data set 'cub': did you mean 'cub200'"):
        discovery.find("data set", "cub", discovery.datasets())


def test_a_third_party_is_found_and_a_clash_refused(monkeypatch):
    def points(*, group):
        return [EntryPoint("faces", "json:dumps", group)]

    monkeypatch.setattr(discovery, "entry_points", points)
    assert discovery.datasets()["faces"]()({}) == "{}"
    monkeypatch.setattr(discovery, "entry_points", lambda *, group: [EntryPoint("resnet", "json:dumps", group)])
    with pytest.raises(FinegrainedError, match=r"two packages offer 'resnet'.*finegrained_crl_plugins and json:dumps"):
        discovery.methods()


def test_what_is_no_method_is_refused_with_what_it_lacks(monkeypatch):
    def points(*, group):
        here = "finegrained_crl.training"
        return [EntryPoint("function", "json:dumps", group), EntryPoint("half", f"{here}.method:Method", group)]

    monkeypatch.setattr(discovery, "entry_points", points)
    with pytest.raises(
        FinegrainedError, match=r"method 'function': json.dumps is not a subclass of .*Method; docs/plugins.md"
    ):
        discovery.methods()["function"]()
    with pytest.raises(
        FinegrainedError, match=r"method 'half': .* lacks build, scores, training_step, summary \(one line of text\)"
    ):
        discovery.methods()["half"]()


def test_nearest_without_a_near_one():
    assert nearest("zzz", ["a", "b"]) == "Known: a, b"


def test_entry_points_are_read_again_only_where_something_was_installed(tmp_path, monkeypatch):
    reads, read = [], importlib.metadata.entry_points
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda **how: reads.append(how) or read(**how))
    monkeypatch.syspath_prepend(tmp_path)
    for _ in range(3):
        assert "late" not in discovery.datasets()
    assert reads == [{"group": discovery.DATASETS}]
    (tmp_path / "late-1.0.dist-info").mkdir()
    (tmp_path / "late-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: late\nVersion: 1.0\n")
    (tmp_path / "late-1.0.dist-info" / "entry_points.txt").write_text(f"[{discovery.DATASETS}]\nlate = json:dumps\n")
    assert discovery.datasets()["late"]()({}) == "{}"
