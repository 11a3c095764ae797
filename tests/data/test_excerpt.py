"""The first pictures of each class and part, and a protocol that says so."""

from finegrained_crl.data.excerpt import excerpt
from finegrained_crl.data.records import make_records


def test_so_many_of_each_class_in_each_part(tmp_path):
    labels, splits = [0, 0, 0, 1, 1, 0, 0, 1], ["train"] * 5 + ["test"] * 3
    paths = [f"{number}.png" for number in range(8)]
    columns = {"path": paths, "label": labels, "split": splits}
    records = make_records(columns, class_names=("a", "b"), root=tmp_path, protocol="mine", dropped={"bad": 3})
    few = excerpt(records, 2)
    assert few.table["path"].tolist() == ["0.png", "1.png", "3.png", "4.png", "5.png", "6.png", "7.png"]
    assert few.table.index.tolist() == list(range(7))
    assert few.protocol == "mine, EXCERPT of 2 pictures a class and part"
    assert few.dropped == {"bad": 3, "beyond the first 2 of its class and part (--pictures-per-class)": 1}
    assert few.fingerprint() != records.fingerprint()


def test_folds_are_parts_too(tmp_path):
    columns = {"path": [f"{n}.png" for n in range(6)], "label": [0] * 6, "fold": [0, 0, 0, 1, 1, 1]}
    records = make_records(columns, class_names=("a",), root=tmp_path, protocol="folds")
    assert excerpt(records, 1).table["path"].tolist() == ["0.png", "3.png"]
