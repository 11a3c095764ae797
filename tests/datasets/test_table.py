import os
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from finegrained_crl.data.folds import seeded_folds, seeded_split
from finegrained_crl.errors import FinegrainedError
from finegrained_crl_datasets.table import Table


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_names_are_sorted_as_text_numbers_by_value(tmp_path: Path) -> None:
    names = Table().read(write(tmp_path / "a.csv", "path,label,split\n1.jpg,pear,train\n2.jpg,NA,test\n"))
    assert names.class_names == ("NA", "pear")
    assert names.table["label"].tolist() == [1, 0]
    numbers = Table().read(write(tmp_path / "b.csv", "path,label,split\n1.jpg,10,train\n2.jpg,9,Validation\n"))
    assert numbers.class_names == ("9", "10")
    assert numbers.table["split"].tolist() == ["train", "val"]


def test_folder_with_labels_csv_and_image_root(tmp_path: Path) -> None:
    (tmp_path / "pics").mkdir()
    write(tmp_path / "labels.csv", f"file,kind,split\n1.jpg,a,train\n{tmp_path}/pics/2.jpg,b,test\nx\\3.jpg,b,test\n")
    records = Table(path_column="file", label_column="kind", image_root="pics").read(tmp_path)
    assert records.root == tmp_path / "pics"
    assert records.table["path"].tolist() == ["1.jpg", "2.jpg", "x/3.jpg"]


def test_tsv_and_parquet_are_read_alike(tmp_path: Path) -> None:
    frame = pd.DataFrame({"path": ["1.jpg", "2.jpg"], "label": [1, 0], "fold": [0, 1], "subject": ["p", None]})
    frame.to_csv(tmp_path / "t.tsv", sep="\t", index=False)
    frame.to_parquet(tmp_path / "t.parquet")
    one, two = (Table(num_classes=2).read(tmp_path / name) for name in ("t.tsv", "t.parquet"))
    assert one.fingerprint() == two.fingerprint()
    assert one.table["fold"].tolist() == [0, 1]
    assert one.table["subject"].isna().tolist() == [False, True]


def test_class_names_of_their_own(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", "path,label,name,split\n1.jpg,1,owl,train\n2.jpg,0,hen,test\n")
    assert Table(num_classes=2, class_name_column="name").read(path).class_names == ("hen", "owl")
    write(path, "path,label,name,split\n1.jpg,1,owl,train\n2.jpg,1,hen,test\n3.jpg,0,cat,test\n")
    with pytest.raises(FinegrainedError, match="label '1' has two names in column 'name': owl, hen"):
        Table(num_classes=2, class_name_column="name").read(path)


@pytest.mark.parametrize(("fraction", "seed"), [(0.2, 0), (0.2, 1), (0.4, 1)])
def test_the_split_is_that_of_the_seed_and_the_share(tmp_path: Path, fraction: float, seed: int) -> None:
    labels = pd.Series([f"class {i % 2}" for i in range(40)])
    rows = [f"{i}.jpg,{label}" for i, label in enumerate(labels)]
    data = write(tmp_path / "a.csv", "\n".join(["path,label", *rows]))
    table = Table(test_fraction=fraction, split_seed=seed).read(data).table
    _, test = seeded_split(labels, pd.Series(range(40)), fraction, seed)
    assert table.index[table["split"] == "test"].tolist() == sorted(test.tolist())


def test_seeded_split_keeps_subjects_apart(tmp_path: Path) -> None:
    rows = [f"{i}.jpg,{i % 2},s{i // 4}" for i in range(80)]
    path = write(tmp_path / "t.csv", "\n".join(["path,label,subject", *rows]))
    records = Table().read(path)
    assert records.table.groupby("subject")["split"].nunique().max() == 1
    assert set(records.table["split"]) == {"train", "test"}
    assert "no subject in both" in records.protocol


def test_seeded_split_keeps_a_repeated_path_on_one_side(tmp_path: Path) -> None:
    rows = [f"{i % 30}.jpg,{i % 2}" for i in range(60)]
    records = Table().read(write(tmp_path / "t.csv", "\n".join(["path,label", *rows])))
    assert records.table["id"].is_unique
    assert records.table.groupby("path")["split"].nunique().max() == 1


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (
            "file,label\n1.jpg,a\n",
            {},
            r"no column 'path'; name the right one with --dataset\.path-column.*Known: file, label",
        ),
        ("path,lable\n1.jpg,a\n", {}, r"no column 'label'.*did you mean 'lable'"),
        ("path,label\n1.jpg,a\n", {"fold_column": "part"}, r"no column 'part'.*--dataset\.fold-column"),
        ("path,label\n1.jpg,a\n,b\n", {}, r"empty 'path' in row 3"),
        ("path,label\n1.jpg,\n2.jpg,\n", {}, r"empty 'label' in row 2 and 1 more"),
        ("path,label\n1.jpg,0\n2.jpg,5\n", {"num_classes": 5}, r"label 5 in row 3 is beyond the 5 classes \(0\.\.4\)"),
        (
            "path,label\n1.jpg,0\n2.jpg,x\n",
            {"num_classes": 2},
            r"'label' in row 3 must be a class index in 0\.\.1, got 'x'",
        ),
        ("path,label,fold\n1.jpg,a,0\n2.jpg,b,one\n", {}, r"'fold' in row 3 must be a fold number, got 'one'"),
        ("path,label,split\n1.jpg,a,train\n2.jpg,b,holdout\n", {}, r"split must be train, val or test: holdout"),
        (
            "path,label,split\n../1.jpg,a,train\n2.jpg,b,test\n",
            {},
            r"path '\.\./1\.jpg' in row 2 leads out of the image folder",
        ),
        (
            "path,label,split\n/etc/1.jpg,a,train\n2.jpg,b,test\n",
            {},
            r"path '/etc/1\.jpg' in row 2 leads out of the image folder",
        ),
        ("path,label\n1.jpg,a,3,4\n", {}, r"cannot be read as a \.csv table"),
        ("path,label\n1.jpg,a\n2.jpg,b\n", {}, r"class 'a' has a single image"),
        ("path,label\n", {}, r"no row below the header"),
        ("", {}, r"cannot be read as a \.csv table"),
        (
            "path,label\n1.jpg,a\n",
            {"image_root": "nowhere"},
            r"no image folder .*nowhere; name it with --dataset\.image-root",
        ),
    ],
)
def test_tables_that_cannot_be_used(tmp_path: Path, text: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(FinegrainedError, match=message):
        Table(**options).read(write(tmp_path / "t.csv", text))


def test_folder_without_labels_csv_names_the_tables(tmp_path: Path) -> None:
    write(tmp_path / "mine.csv", "path,label\n")
    with pytest.raises(FinegrainedError, match=r"no labels\.csv in .*mine\.csv"):
        Table().read(tmp_path)
    with pytest.raises(FinegrainedError, match="no such file"):
        Table().read(tmp_path / "gone.csv")


@pytest.mark.realdata
def test_real_cars(shared_data: Path) -> None:
    source = Table(path_column="filename", label_column="class_name", image_root="cars_train")
    records = source.read(shared_data / "stanford_cars_audi_bmw_crops" / "labels.csv")
    assert records.table["split"].value_counts().to_dict() == {"train": 783, "test": 337}
    assert records.num_classes == 27
    assert all((records.root / path).is_file() for path in records.table["path"])


def test_folds_of_its_own(tmp_path: Path) -> None:
    lines = ["path,label,subject,split", *(f"{i}.jpg,{'ab'[i % 2]},p{i // 2},test" for i in range(40))]
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    records = Table(num_folds=5).read(tmp_path)
    assert records.table.groupby("subject")["fold"].nunique().max() == 1
    assert sorted(records.table["fold"].unique()) == [0, 1, 2, 3, 4]
    assert records.table["split"].eq("").all()
    assert (
        records.protocol
        == "labels.csv, 5 seeded stratified folds (subject-exclusive, seed 0, not the table's own split)"
    )
    assert not records.ordered
    assert Table(num_folds=5, ordered=True).read(tmp_path).ordered
    assert Table(num_folds=5).read(tmp_path).fingerprint() == records.fingerprint()
    with pytest.raises(FinegrainedError, match=r"20 subjects .* cannot make 21 folds"):
        Table(num_folds=21).read(tmp_path)


@pytest.mark.parametrize("options", [{}, {"num_folds": 4}], ids=["split", "folds"])
def test_seeded_parts_keep_albums_and_originals_apart(tmp_path: Path, options: dict[str, Any]) -> None:
    """Rows are joined in chains of four: two by an original, the twos by an album; the spellings differ."""
    albums = [{1: f"Album {i // 4}", 2: f" album {i // 4}"}.get(i % 4, "") for i in range(80)]
    rows = [f"{i}.jpg,{i % 2},{albums[i]},{i // 2}{'.0' if i % 2 else ''}" for i in range(80)]
    path = write(tmp_path / "t.csv", "\n".join(["path,label,album,original", *rows]))
    for seed in range(3):
        records = Table(split_seed=seed, **options).read(path)
        side = records.table["fold"].astype("string").fillna("") + records.table["split"]
        assert side.nunique() > 1
        for kind in ("album", "original"):
            who = records.table[kind].str.strip().str.lower().str.replace(".0", "", regex=False)
            assert side.groupby(who).nunique().max() == 1
    assert (
        "no album or original in both" in records.protocol
        or "album-exclusive and original-exclusive" in records.protocol
    )


def test_spellings_of_a_subject_are_one(tmp_path: Path) -> None:
    rows = [f"{i}.jpg,{i % 2},{['Ann', ' ann', 'ANN '][i % 3]}{i // 6}" for i in range(120)]
    table = Table().read(write(tmp_path / "t.csv", "\n".join(["path,label,subject", *rows]))).table
    assert table["split"].groupby(table["subject"].str.strip().str.lower()).nunique().max() == 1


def test_spellings_of_a_path_are_one(tmp_path: Path) -> None:
    rows = [f"{'./' if i % 2 else ''}{i // 2}.jpg,{i // 2 % 2}" for i in range(80)]
    table = Table().read(write(tmp_path / "t.csv", "\n".join(["path,label", *rows]))).table
    assert table["path"].nunique() == 40
    assert table.groupby("path")["split"].nunique().max() == 1


def test_small_classes_in_a_seeded_split(tmp_path: Path) -> None:
    rows = [f"{i}.jpg,c{i // 3},{'s0' if i in (0, 1) else f's{i}'}" for i in range(6)]
    with pytest.raises(
        FinegrainedError, match=r"no class has 5 images, one for each of 5 parts \(fraction 0\.2\); hold out more"
    ):
        Table().read(write(tmp_path / "t.csv", "\n".join(["path,label,subject", *rows])))


@pytest.mark.parametrize("folds", [["0", "1", "one", "1"], ["0", None, "1", "0"], [0.5, 1.0, 0.0, 1.0]])
def test_a_parquet_table_with_an_odd_fold(tmp_path: Path, folds: list[object]) -> None:
    frame = pd.DataFrame({"path": ["1.jpg", "2.jpg", "3.jpg", "4.jpg"], "label": ["a", "b"] * 2, "fold": folds})
    frame.to_parquet(tmp_path / "t.parquet")
    with pytest.raises(
        FinegrainedError, match=r"'fold' in row [234] must be a fold number, got '(one|<NA>|nan|0\.5|)'"
    ):
        Table().read(tmp_path / "t.parquet")


def test_a_parquet_table_with_folds_as_text_or_floats(tmp_path: Path) -> None:
    for folds in (["0", "1", "0", "1"], [0.0, 1.0, 0.0, 1.0]):
        frame = pd.DataFrame({"path": ["1.jpg", "2.jpg", "3.jpg", "4.jpg"], "label": ["a", "b"] * 2, "fold": folds})
        frame.to_parquet(tmp_path / "t.parquet")
        assert Table().read(tmp_path / "t.parquet").table["fold"].tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize("fold", ["inf", "1e400", "9999999999999999999999", "nan"])
def test_a_fold_beyond_numbers(tmp_path: Path, fold: str) -> None:
    with pytest.raises(FinegrainedError, match=f"'fold' in row 3 must be a fold number, got '{fold}'"):
        Table().read(write(tmp_path / "t.csv", f"path,label,fold\n1.jpg,a,0\n2.jpg,b,{fold}\n"))


def test_the_separator(tmp_path: Path) -> None:
    text = "path;label;split\n1,5.jpg;a;train\n2.jpg;b;test\n"
    assert Table().read(write(tmp_path / "t.csv", text)).table["path"].tolist() == ["1,5.jpg", "2.jpg"]
    for separator, options in (("|", "|"), ("\t", "tab")):
        path = write(tmp_path / "t.csv", text.replace(";", separator))
        assert Table(separator=options).read(path).table["path"].tolist() == ["1,5.jpg", "2.jpg"]
    with pytest.raises(FinegrainedError, match=r"--dataset\.separator must be one character \(or 'tab'\), got ';;'"):
        Table(separator=";;").read(path)


def test_class_names_that_look_like_one(tmp_path: Path) -> None:
    text = 'path,label,split\n1.jpg,"Owl ",train\n2.jpg,OWL,train\n3.jpg,NA,test\n'
    assert len(Table().read(write(tmp_path / "t.csv", text)).warnings) == 2


def test_two_labels_of_one_name_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", "path,label,name,split\n1.jpg,1,owl,train\n2.jpg,0,owl,test\n3.jpg,2,hen,test\n")
    with pytest.raises(FinegrainedError, match="classes 0 and 1 are both called 'owl': give each a name of its own"):
        Table(num_classes=3, class_name_column="name").read(path)


@pytest.mark.timeout(20)
def test_a_table_that_is_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "t.csv")
    with pytest.raises(FinegrainedError, match="not a regular file but a named pipe"):
        Table().read(tmp_path / "t.csv")


def ages_table(folder: Path, rows: list[str], header: str = "path,age,subject") -> Path:
    return write(folder / "ages.csv", "\n".join([header, *rows]))


def test_years_are_classes_and_some_are_empty(tmp_path: Path) -> None:
    path = ages_table(tmp_path, [f"{i}.jpg,{20 + i % 5 * 7},s{i // 2}" for i in range(60)])
    records = Table(label_column="age", target="age", age_range="18,60", age_groups="18,30").read(path)
    assert records.class_names == tuple(map(str, range(18, 61)))
    assert records.table["label"].tolist()[:3] == [2, 9, 16]
    assert records.table["age"].tolist()[:3] == [20.0, 27.0, 34.0]
    assert records.ages is not None
    assert records.ages.groups == ((18, 29), (30, 60))
    assert records.ordered
    assert records.table.groupby("subject")["split"].nunique().max() == 1
    assert set(records.table["split"]) == {"train", "test"}


def test_a_bin_without_pictures_is_an_error(tmp_path: Path) -> None:
    path = ages_table(tmp_path, ["1.jpg,1,train", "2.jpg,3,train", "3.jpg,70,test"], "path,age,split")
    with pytest.raises(FinegrainedError, match="class without any image: 4-6 and 5 more"):
        Table(label_column="age", target="age", bins="adience").read(path)


def test_bins_are_ordered_groups_without_years(tmp_path: Path) -> None:
    rows = [f"{i}.jpg,{age},train" for i, age in enumerate((1, 5, 9, 16, 30, 40, 50, 61, 3, 14))]
    records = Table(label_column="age", target="age", bins="adience").read(ages_table(tmp_path, rows, "path,age,split"))
    assert records.table["label"].tolist() == list(range(8))
    assert records.dropped == {"age in no bin": 2}
    assert records.ages is None
    assert records.ordered


def test_annotators_spread_is_read_where_the_table_has_it(tmp_path: Path) -> None:
    rows = ["1.jpg,31.4,4.5,train", "2.jpg,20,,test"]
    path = ages_table(tmp_path, rows, "path,age,age_spread,split")
    records = Table(label_column="age", target="age", age_groups="").read(path)
    assert records.table["age_spread"].fillna(-1).tolist() == [4.5, -1]
    assert records.table["label"].tolist() == [31, 20]


def test_folds_of_years_are_stratified_by_age(tmp_path: Path) -> None:
    path = ages_table(tmp_path, [f"{i}.jpg,{i},s{i}" for i in range(100)])
    records = Table(label_column="age", target="age", num_folds=5).read(path)
    assert records.table.groupby("fold")["age"].mean().between(47, 52).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "age", "num_classes": 5}, "target age makes its own classes: leave out num-classes"),
        ({"bins": "0,5"}, "--dataset.bins needs --dataset.target age"),
        ({"target": "ages"}, "--dataset.target ages: it must be class or age"),
        ({"target": "age", "age_groups": "9"}, r"--dataset\.age-groups 9: give the first age of each group"),
        ({"target": "age", "bins": "50,60"}, r"every age lies in no bin; correct --dataset\.bins"),
    ],
)
def test_options_of_ages_that_do_not_go_together(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    path = ages_table(tmp_path, ["1.jpg,1,train", "2.jpg,3,test"], "path,age,split")
    with pytest.raises(FinegrainedError, match=message):
        Table(label_column="age", **options).read(path)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_folds_are_those_of_the_seed(tmp_path: Path, seed: int) -> None:
    labels = pd.Series([f"class {i % 2}" for i in range(40)])
    rows = [f"{i}.jpg,{label}" for i, label in enumerate(labels)]
    data = write(tmp_path / "a.csv", "\n".join(["path,label", *rows]))
    table = Table(num_folds=4, split_seed=seed).read(data).table
    assert table["fold"].tolist() == seeded_folds(labels, pd.Series(range(40)), 4, seed).tolist()


@pytest.mark.realdata
def test_real_faces_in_years(shared_data: Path) -> None:
    shared: dict[str, Any] = {"path_column": "filename", "label_column": "age", "target": "age", "image_root": "images"}
    utkface = Table(**shared, age_range="0,116").read(shared_data / "utkface_subset")
    assert utkface.table["split"].value_counts().to_dict() == {"train": 1408, "test": 352}
    assert (utkface.table["age"].min(), utkface.table["age"].max()) == (1, 99)
    fgnet = Table(**shared, subject_column="subject_id", num_folds=11).read(shared_data / "fgnet_subset")
    assert fgnet.table.groupby("fold")["subject"].nunique().tolist() == [1] * 11  # leave one person out
    assert len(fgnet.class_names) == 101


@pytest.mark.parametrize("name", ["rows.csv", "rows.tsv"])
def test_tables_of_another_name_are_offered(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("path,label\n")
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(FinegrainedError, match=rf"no labels\.csv in .*; give one of these as --data: {name}$"):
        Table().read(tmp_path)
