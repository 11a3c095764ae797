"""Adience (Eidinger, Enbar and Hassner 2014): eight age groups, five folds, no subject in two folds."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import pandas as pd

from finegrained_crl.data.layout import file_text, first_holding, read_note, require_file, require_folder, text_lines
from finegrained_crl.data.records import Records, make_records
from finegrained_crl.errors import FinegrainedError, nearest

GROUPS = ("0-2", "4-6", "8-12", "15-20", "25-32", "38-43", "48-53", "60-100")
FIELDS = (
    "user_id", "original_image", "face_id", "age", "gender", "x", "y", "dx", "dy", "tilt_ang", "fiducial_yaw_angle",
    "fiducial_score",
)  # fmt: skip
FOLDS = range(5)
FACE_PATH = re.compile(
    r"(?:^|/)(?P<album>[^/]+)/(?:landmark_aligned_face|coarse_tilt_aligned_face)\.(?P<subject>\d+)\.(?P<original>[^/]+)$"
)
SUBGROUPS = ("gender", "fiducial_yaw_angle", "fiducial_score")
FRONTAL_WHERE = (
    "The frontal subset's lists (fold_frontal_0_data.txt .. fold_frontal_4_data.txt) come with Adience, in the same"
    " place as fold_0_data.txt; put them beside it, or leave out --dataset.frontal"
)
IMAGE_NAMES = {"aligned": "landmark_aligned_face", "faces": "coarse_tilt_aligned_face"}
POLICIES = ("levi-hassner", "levi-hassner-fixed", "nearest")
COPY = "exact copy of an earlier row"

EXACT = {f"({group.replace('-', ', ')})": group for group in GROUPS}

# Images per fold for (policy, duplicates), counted on the original fold files. The last is the denominator that MiVOLO
# reports on.
KNOWN_FOLDS = {
    ("levi-hassner", "keep"): (4316, 3101, 3339, 2975, 3693),  # 17,424
    ("levi-hassner", "drop"): (4305, 3092, 3285, 2963, 3676),  # 17,321
    ("levi-hassner-fixed", "keep"): (4388, 3101, 3339, 2975, 3693),  # 17,496
    ("levi-hassner-fixed", "drop"): (4377, 3092, 3285, 2963, 3676),  # 17,393
    ("nearest", "keep"): (4444, 3708, 3398, 3412, 3772),  # 18,734
    ("nearest", "drop"): (4432, 3693, 3343, 3400, 3754),  # 18,622
}


@dataclass(frozen=True)
class Adience:
    """Reader of Adience's fold files; a subject is a face_id.

    Extra columns: user_id (the album), original_image (the photograph), gender, age_text, fiducial_yaw_angle (degrees,
    negative to one side), fiducial_score (of the landmarks that the face was aligned by; higher is surer).

    Attributes:
        images: "aligned" (in-plane aligned faces) or "faces" (only coarsely turned upright).
        label_policy: what becomes of age texts that are not one of the eight groups: `levi-hassner` leaves them out
            (17,424 faces, the usual protocol), `levi-hassner-fixed` also reads "(25, 23)" as 25-32, as their code meant
            to, `nearest` takes the group nearest to the number or to the range's middle; or a CSV file with columns
            raw,group.
        duplicates: "keep" or "drop" the 117 rows that copy an earlier row exactly.
        frontal: read the frontal subset, fold_frontal_0_data.txt .. fold_frontal_4_data.txt, where you have these
            files.
    """

    summary: ClassVar[str] = "Adience, eight age groups, five subject-exclusive folds"
    where: ClassVar[str] = (
        "Ask for Adience at https://talhassner.github.io/home/projects/Adience/Adience-data.html; put fold_0_data.txt"
        " .. fold_4_data.txt and the unpacked aligned/ (or faces/) into one folder and give it as --data"
    )

    groupings: ClassVar[dict[str, str]] = {"album": "user_id", "original": "original_image"}

    images: Literal["aligned", "faces"] = "aligned"
    label_policy: str = "levi-hassner"
    duplicates: Literal["keep", "drop"] = "keep"
    frontal: bool = False

    def read(self, data: Path, *, labels_only: bool = False) -> Records:
        """Read the five folds below `data` (see `DataSource.read`)."""
        folder, rows = self._fold_rows(data)
        if not labels_only:
            require_folder(data / self.images, self.where)
        group_of = policy_map(self.label_policy, rows["age"])
        rows["group"] = rows["age"].map(group_of)
        copy = rows.duplicated([*FIELDS, "fold"]) & (self.duplicates == "drop")
        kept = rows[rows["group"].notna() & ~copy]
        return make_records(
            self._columns(kept),
            class_names=GROUPS,
            root=data,
            protocol=_protocol(folder, self.frontal),
            policy=f"{self.label_policy}, duplicate rows: {self.duplicates}",
            dropped=_dropped(rows, copy),
            ordered=True,
            subgroups=SUBGROUPS,
            groupings=self.groupings,
        )

    def known_counts(self, data: Path) -> dict[str, int]:
        """The published counts for these options, or those that a generated set states for the default options."""
        note = read_note(require_folder(data, self.where))
        if note:
            return note.counts if self == Adience(images=self.images) else {"classes": len(GROUPS)}
        if self.frontal:
            return {"classes": len(GROUPS)}
        folds = KNOWN_FOLDS.get((self.label_policy, self.duplicates))
        counts = {"images": sum(folds)} | {f"fold {i}": n for i, n in enumerate(folds)} if folds else {}
        return {"classes": len(GROUPS), **counts}

    def label_table(self, data: Path) -> list[dict[str, Any]]:
        """How each age text is read.

        Returns:
            one dict per text: `raw`, `count`, its group under each policy ("" for left out), and its count in each
            fold.
        """
        _, rows = self._fold_rows(data)
        policies = dict.fromkeys([*POLICIES, self.label_policy])
        maps = {policy: policy_map(policy, rows["age"]) for policy in policies}
        by_fold = rows.groupby(["age", "fold"]).size().unstack(fill_value=0)
        return [
            {"raw": raw, "count": n}
            | {policy: maps[policy].get(raw, "") for policy in maps}
            | {f"fold {fold}": int(by_fold.loc[raw, fold]) for fold in FOLDS}
            for raw, n in Counter(rows["age"]).most_common()
        ]

    def _fold_rows(self, data: Path) -> tuple[Path, pd.DataFrame]:
        """The folder of the fold files, and all their rows as text with a column `fold`."""
        require_folder(data, self.where)
        name, where = ("fold_frontal_{}_data.txt", FRONTAL_WHERE) if self.frontal else ("fold_{}_data.txt", self.where)
        folder = first_holding([data, data / "Folds" / "original_txt_files"], name.format(0), where)
        tables = [_read_fold(require_file(folder / name.format(fold), where)).assign(fold=fold) for fold in FOLDS]
        return folder, pd.concat(tables, ignore_index=True)

    def _columns(self, rows: pd.DataFrame) -> dict[str, Any]:
        name = IMAGE_NAMES[self.images]
        file = name + "." + rows["face_id"] + "." + rows["original_image"]
        return {
            "path": self.images + "/" + rows["user_id"] + "/" + file,
            "label": rows["group"].map({group: i for i, group in enumerate(GROUPS)}),
            "fold": rows["fold"],
            "subject": rows["face_id"],
            "user_id": rows["user_id"],
            "gender": rows["gender"],
            "age_text": rows["age"],
            "original_image": rows["original_image"],
            "fiducial_yaw_angle": pd.to_numeric(rows["fiducial_yaw_angle"], errors="coerce"),
            "fiducial_score": pd.to_numeric(rows["fiducial_score"], errors="coerce"),
        }

    @staticmethod
    def identify(path: str) -> dict[str, str] | None:
        """What the path of an Adience face says of itself: album, subject and original photograph; None for any other
        path.

        >>> Adience.identify("aligned/30601258@N03/landmark_aligned_face.1.10399646885_67c7d20df9_o.jpg")["subject"]
        '1'
        """
        match = FACE_PATH.search(path.replace("\\", "/"))
        return match.groupdict() if match else None


def policy_map(policy: str, texts: pd.Series) -> dict[str, str]:
    """Age text -> group, for the texts that a policy keeps.

    Args:
        policy: one of `POLICIES`, or the path of a CSV file with columns raw,group.
        texts: the age texts that occur.
    Raises:
        FinegrainedError: no such policy or file, or a group in the file that is none of the eight.
    """
    if policy == "levi-hassner":
        return EXACT
    if policy == "levi-hassner-fixed":
        return EXACT | {"(25, 23)": "25-32"}
    if policy == "nearest":
        groups = {text: _nearest_group(text) for text in set(texts)}
        return {text: group for text, group in groups.items() if group is not None}
    return _map_file(Path(policy))


def _nearest_group(text: str) -> str | None:
    """The group nearest to a number or to the middle of a range; None for any other text.

    Of two equally near groups (35 is 3 years from 25-32 and from 38-43) the one with the nearer middle wins, then the
    younger.
    """
    if text in EXACT:
        return EXACT[text]
    try:
        ages = [float(part) for part in text.strip("() ").split(",")]
    except ValueError:
        return None
    age = sum(ages) / len(ages)
    if len(ages) > 2 or not 0 <= age <= 120:
        return None
    bounds = [tuple(map(int, group.split("-"))) for group in GROUPS]
    distance = [(max(low - age, age - high, 0), abs(age - (low + high) / 2)) for low, high in bounds]
    return GROUPS[distance.index(min(distance))]


def _map_file(path: Path) -> dict[str, str]:
    if not path.is_file():
        raise FinegrainedError(f"unknown label policy '{path}', and no such CSV file: {nearest(str(path), POLICIES)}")
    try:
        rows = list(csv.DictReader(io.StringIO(file_text(path), newline="")))
    except csv.Error as error:
        raise FinegrainedError(f"{path} can't be read as a CSV table: {error}") from error
    if not rows or not {"raw", "group"} <= rows[0].keys():
        raise FinegrainedError(f"{path}: a label policy needs a header 'raw,group' and at least one row")
    for line, row in enumerate(rows, start=2):
        if row["raw"] is None or EXACT.get(row["group"], row["group"]) not in GROUPS:
            raise FinegrainedError(f"{path}, line {line}: group '{row['group']}' is none of {', '.join(GROUPS)}")
    return {row["raw"]: EXACT.get(row["group"], row["group"]) for row in rows}


def _read_fold(path: Path) -> pd.DataFrame:
    """All rows of one fold file, every field as text."""
    lines = text_lines(path)
    _, header = next(lines, (1, ""))
    _check_header(header, path)
    rows = []
    for number, line in lines:
        fields = [field.strip() for field in line.split("\t")]
        if line == header:
            raise FinegrainedError(f"{path}, line {number}: the header is there a second time; remove that line")
        if len(fields) != len(FIELDS):
            hint = "; the fields must be separated by tabs" if len(fields) == 1 else ""
            raise FinegrainedError(
                f"{path}, line {number}: expected {len(FIELDS)} tab-separated fields, got {len(fields)}{hint}"
            )
        if not fields[2].isdecimal():
            raise FinegrainedError(f"{path}, line {number}: face_id must be a number, got '{fields[2]}'")
        rows.append(fields)
    return pd.DataFrame(rows, columns=list(FIELDS), dtype=str)


def _check_header(header: str, path: Path) -> None:
    columns = [field.strip() for field in header.split("\t")]
    absent = [field for field in FIELDS if field not in columns]
    if absent:
        hint = " (the fields must be separated by tabs)" if len(columns) == 1 else ""
        raise FinegrainedError(f"{path}, line 1: no column '{absent[0]}'{hint}; expected {' '.join(FIELDS)}")
    if columns != list(FIELDS):
        raise FinegrainedError(f"{path}, line 1: columns must come in this order: {' '.join(FIELDS)}")


def _dropped(rows: pd.DataFrame, copy: pd.Series) -> dict[str, int]:
    """Reason -> number of rows that are left out."""
    unread = rows.loc[rows["group"].isna() & ~copy, "age"]
    counts = {f"age '{text}' is in no group under this label policy": n for text, n in unread.value_counts().items()}
    return counts | ({COPY: int(copy.sum())} if copy.any() else {})


def _protocol(folder: Path, frontal: bool) -> str:
    note = read_note(folder)
    name = f"{note.name} (generated, seed {note.seed}, in the layout of Adience)" if note else "Adience"
    return f"{name}{', frontal subset' if frontal else ''}, five subject-exclusive folds"


dataset = Adience
