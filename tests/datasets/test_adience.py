from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finegrained_crl.data.folds import cut_validation, hold_out
from finegrained_crl.errors import FinegrainedError
from finegrained_crl_datasets.adience import FIELDS, GROUPS, KNOWN_FOLDS, POLICIES, Adience, policy_map
from finegrained_crl_datasets.demo_faces import make_demo_faces

HEADER = "\t".join(FIELDS)


def row(user: str, image: str, face: int, age: str, gender: str = "f") -> str:
    return "\t".join([user, image, str(face), age, gender, "0", "0", "9", "9", "0", "15", "50"])


@pytest.fixture
def adience(tmp_path: Path) -> Path:
    for fold in range(5):
        rows = [
            row(f"u{fold}", f"{i}.jpg", 10 * fold + i, f"({group.replace('-', ', ')})")
            for i, group in enumerate(GROUPS)
        ]
        rows += [
            row(f"u{fold}", f"x{i}.jpg", 10 * fold, age)
            for i, age in enumerate(["35", "(25, 23)", "None", "", "æ?!", "(1, 2, 3)"])
        ]
        rows.append(rows[0])
        (tmp_path / f"fold_{fold}_data.txt").write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
    (tmp_path / "aligned").mkdir()
    return tmp_path


def test_columns(adience: Path) -> None:
    table = Adience().read(adience).table
    first = table.iloc[0]
    assert first["path"] == "aligned/u0/landmark_aligned_face.0.0.jpg"
    assert (first["fold"], first["subject"], first["user_id"], first["gender"], first["age_text"]) == (
        0,
        "0",
        "u0",
        "f",
        "(0, 2)",
    )
    assert table["id"].is_unique
    assert table["split"].eq("").all()


def test_what_an_audit_and_a_report_divide_by(adience: Path) -> None:
    records = Adience().read(adience)
    first = records.table.iloc[0]
    assert records.ordered
    assert (first["original_image"], first["fiducial_yaw_angle"], first["fiducial_score"]) == ("0.jpg", 15, 50)
    assert set(records.subgroups) == {"gender", "fiducial_yaw_angle", "fiducial_score"} <= set(records.table)
    assert set(Adience.groupings.values()) <= set(records.table)


def test_a_path_tells_whose_face_it_is() -> None:
    told = {"album": "7464014@N04", "subject": "961", "original": "10109081873_8060c8b0a5_o.jpg"}
    assert Adience.identify("7464014@N04/landmark_aligned_face.961.10109081873_8060c8b0a5_o.jpg") == told
    assert Adience.identify("faces/7464014@N04/coarse_tilt_aligned_face.961.10109081873_8060c8b0a5_o.jpg") == told
    assert Adience.identify("faces/somebody.jpg") is None


def test_frontal_subset_where_its_files_are(adience: Path) -> None:
    with pytest.raises(FinegrainedError, match=r"no fold_frontal_0_data\.txt .*leave out --dataset\.frontal"):
        Adience(frontal=True).read(adience)
    for fold in range(5):
        lines = (adience / f"fold_{fold}_data.txt").read_text(encoding="utf-8").splitlines()
        (adience / f"fold_frontal_{fold}_data.txt").write_text("\n".join(lines[:9]), encoding="utf-8")
    records = Adience(frontal=True).read(adience)
    assert len(records) == 40
    assert "frontal subset" in records.protocol
    assert Adience(frontal=True).known_counts(adience) == {"classes": 8}


def test_label_table_counts_per_fold(adience: Path) -> None:
    table = {line["raw"]: line for line in Adience().label_table(adience)}
    assert table["35"] | {"count": 5, "levi-hassner": "", "nearest": "38-43"} == table["35"]
    assert [table["35"][f"fold {fold}"] for fold in range(5)] == [1] * 5


def test_faces_have_another_name(adience: Path) -> None:
    table = Adience(images="faces").read(adience, labels_only=True).table
    assert table["path"].iloc[1] == "faces/u0/coarse_tilt_aligned_face.1.1.jpg"


@pytest.mark.parametrize(
    ("options", "images"),
    [
        ({}, 45),
        ({"label_policy": "levi-hassner-fixed"}, 50),
        ({"label_policy": "nearest"}, 55),
        ({"duplicates": "drop"}, 40),
    ],
)
def test_policies_on_odd_ages(adience: Path, options: dict[str, Any], images: int) -> None:
    records = Adience(**options).read(adience)
    assert len(records) == images
    assert len(records) + sum(records.dropped.values()) == 75
    assert options.get("label_policy", "levi-hassner") in records.policy


def test_a_row_of_another_fold_is_no_copy_but_a_leak(adience: Path) -> None:
    row_of_fold_0 = (adience / "fold_0_data.txt").read_text(encoding="utf-8").splitlines()[1]
    with (adience / "fold_1_data.txt").open("a", encoding="utf-8") as file:
        file.write(row_of_fold_0 + "\n")
    table = Adience(duplicates="drop").read(adience).table
    assert table[table["user_id"] == "u0"]["fold"].value_counts().to_dict() == {0: 8, 1: 1}


def test_the_nearest_group_is_that_of_the_middle() -> None:
    expected = {"(8, 23)": "15-20", "13": "8-12", "(27, 32)": "25-32", "35": "38-43", "57": "60-100"}
    assert policy_map("nearest", pd.Series([*expected, "None", "(1, 2, 3)"])) == expected


def test_policy_from_a_file(adience: Path, tmp_path: Path) -> None:
    lines = ["raw,group", *[f'"({group.replace("-", ", ")})",{group}' for group in GROUPS], "None,60-100"]
    (tmp_path / "map.csv").write_text("\n".join(lines))
    assert len(Adience(label_policy=str(tmp_path / "map.csv")).read(adience)) == 50
    (tmp_path / "map.csv").write_text("raw,group\n35,thirties\n")
    with pytest.raises(FinegrainedError, match=r"map\.csv, line 2: group 'thirties' is none of 0-2"):
        Adience(label_policy=str(tmp_path / "map.csv")).read(adience)


def test_unknown_policy_lists_the_known(adience: Path) -> None:
    with pytest.raises(FinegrainedError, match="did you mean 'nearest'"):
        Adience(label_policy="neares").read(adience)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("\tface_id", "", r"fold_2_data\.txt, line 1: no column 'face_id'"),
        ("\t", " ", r"line 1: no column 'user_id' \(the fields must be separated by tabs\)"),
        ("u2\t1.jpg\t21\t", "u2 1.jpg 21 ", r"fold_2_data\.txt, line 3: expected 12 tab-separated fields, got 9"),
        (
            "u2\t1.jpg\t21\t",
            f"{HEADER}\nu2\t1.jpg\t21\t",
            r"fold_2_data\.txt, line 3: the header is there a second time",
        ),
        ("u2\t1.jpg\t21\t", "u2\t1.jpg\tface\t", r"line 3: face_id must be a number, got 'face'"),
        ("u2\t1.jpg", "../..\t1.jpg", r"path escapes the image root"),
    ],
)
def test_malformed_rows_are_named(adience: Path, old: str, new: str, message: str) -> None:
    path = adience / "fold_2_data.txt"
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    with pytest.raises(FinegrainedError, match=message):
        Adience().read(adience)


def test_binary_fold_file(adience: Path) -> None:
    (adience / "fold_1_data.txt").write_bytes(b"\x89\xff\x00\x80")
    with pytest.raises(FinegrainedError, match=r"fold_1_data\.txt: not a UTF-8 text file"):
        Adience().read(adience)


def test_missing_fold_and_images(adience: Path) -> None:
    (adience / "fold_4_data.txt").unlink()
    with pytest.raises(FinegrainedError, match=r"missing file .*fold_4_data\.txt"):
        Adience().read(adience)


@given(st.text() | st.from_regex(r"\(\d{1,3}, \d{1,3}\)|-?\d{1,9}(e\d+)?|nan|inf", fullmatch=True))
def test_any_age_text_is_read_or_left_out(text: str) -> None:
    for policy in POLICIES:
        assert policy_map(policy, pd.Series([text])).get(text, "0-2") in GROUPS


@pytest.mark.realdata
@pytest.mark.parametrize(("policy", "duplicates"), list(KNOWN_FOLDS))
def test_real_counts(shared_data: Path, policy: str, duplicates: Any) -> None:
    data = shared_data / "adience_protocol"
    source = Adience(label_policy=policy, duplicates=duplicates)
    records = source.read(data, labels_only=True)
    assert tuple(records.table["fold"].value_counts().sort_index()) == KNOWN_FOLDS[policy, duplicates]
    assert len(records) + sum(records.dropped.values()) == 19487
    assert records.table.groupby("subject")["fold"].nunique().max() == 1


@pytest.mark.realdata
def test_real_histogram(shared_data: Path) -> None:
    table = Adience().label_table(shared_data / "adience_protocol")
    assert sum(line["count"] for line in table) == 19487
    by_text = {line["raw"]: line for line in table}
    assert len(by_text) == 31
    assert by_text["(25, 23)"]["count"] == 72
    assert (by_text["(25, 23)"]["levi-hassner"], by_text["(25, 23)"]["levi-hassner-fixed"]) == ("", "25-32")
    nearest = {"35": "38-43", "3": "0-2", "13": "8-12", "22": "15-20", "57": "60-100", "(8, 23)": "15-20", "None": ""}
    assert {raw: by_text[raw]["nearest"] for raw in nearest} == nearest


def test_the_validation_part_keeps_albums_and_photographs_apart(tmp_path: Path) -> None:
    make_demo_faces(tmp_path, subjects_per_group=10, photos_per_subject=2, size=32)
    records = Adience().read(tmp_path)
    assert records.groupings == {"subject": "subject", "album": "user_id", "original": "original_image"}
    train, val = cut_validation(records, hold_out(records, fold=0).train, 0.2, 0)
    for column in ("subject", "user_id", "original_image"):
        assert not set(records.table[column].iloc[train]) & set(records.table[column].iloc[val])
