"""What `fgcrl data audit` finds of copies that were changed, what it takes for copies and is none, and how long it
takes.

    python tools/benchmark.py audit --data ../shared/data/utkface_subset/images            # recall and pairs of a
    folder python tools/benchmark.py audit --data FOLDER [FOLDER ..] --every 4 --sheet pairs.png   # .. the pairs side
    by side python tools/benchmark.py audit --data FOLDER [FOLDER ..] --time 12000                  # time for so many
    pictures

Every n-th picture (`--every`) is changed in each of the ways of `CHANGES` and put beside all pictures of its folder as
they are, one way at a time. A copy counts as found when it is paired with its original. The pairs among the pictures as
they are have to be looked at by eye (`--sheet`): real sets hold copies.
"""

import argparse
import io
import itertools
import json
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
from PIL import Image, ImageDraw, ImageEnhance, ImageFont, ImageOps

from finegrained_crl.data.audit import audit
from finegrained_crl.data.contact_sheet import Pair, contact_sheet
from finegrained_crl.data.looks import Look, look_at
from finegrained_crl.data.near_duplicates import near_duplicates
from finegrained_crl.data.suffixes import IMAGE_SUFFIXES

summary = "near-duplicates: recall per change, pairs among real pictures, time"
THREADS = 2
Turn = Image.Transpose
Change = Callable[[Image.Image, random.Random], bytes]


def encoded(picture: Image.Image, quality: int = 90, orientation: int = 1) -> bytes:
    """A JPEG file."""
    exif, out = Image.Exif(), io.BytesIO()
    exif[0x0112] = orientation
    picture.convert("RGB").save(out, "JPEG", quality=quality, exif=exif)
    return out.getvalue()


def cropped(picture: Image.Image, kept: float, place: random.Random) -> Image.Image:
    """A window of `kept` of the width and the height, anywhere."""
    width, height = round(picture.width * kept), round(picture.height * kept)
    left, upper = place.randint(0, picture.width - width), place.randint(0, picture.height - height)
    return picture.crop((left, upper, left + width, upper + height))


def framed(picture: Image.Image, share: float, colour: str) -> Image.Image:
    """With a border all around, its width a share of the picture's."""
    return ImageOps.expand(picture, max(2, round(share * picture.width)), colour)


def stamped(picture: Image.Image, place: random.Random) -> Image.Image:
    """With a half transparent word across it, about half as wide as the picture."""
    layer = Image.new("RGBA", picture.size, (0, 0, 0, 0))
    at = picture.width * place.uniform(0.05, 0.3), picture.height * place.uniform(0.2, 0.7)
    font = ImageFont.load_default(size=max(10, picture.width // 8))
    ImageDraw.Draw(layer).text(at, "© SAMPLE", fill=(255, 255, 255, 140), font=font)
    return Image.alpha_composite(picture.convert("RGBA"), layer)


def with_logo(picture: Image.Image, place: random.Random) -> Image.Image:
    """With an opaque box in a corner, a quarter of the width and a sixth of the height."""
    picture, width, height = picture.copy(), picture.width // 4, picture.height // 6
    left, upper = place.choice([0, picture.width - width]), place.choice([0, picture.height - height])
    ImageDraw.Draw(picture).rectangle((left, upper, left + width, upper + height), fill=(200, 30, 30))
    return picture


CHANGES: dict[str, Change] = {
    "mirrored": lambda picture, _: encoded(picture.transpose(Turn.FLIP_LEFT_RIGHT)),
    "turned by 90 degrees": lambda picture, _: encoded(picture.transpose(Turn.ROTATE_90)),
    "turned by 180 degrees": lambda picture, _: encoded(picture.transpose(Turn.ROTATE_180)),
    "turned by 270 degrees": lambda picture, _: encoded(picture.transpose(Turn.ROTATE_270)),
    "turned by an EXIF tag": lambda picture, place: encoded(picture, orientation=place.choice([3, 6, 8])),
    "stored on its side, EXIF tag": lambda picture, _: encoded(picture.transpose(Turn.ROTATE_90), orientation=6),
    "cropped to 98 %": lambda picture, place: encoded(cropped(picture, 0.98, place)),
    "cropped to 95 %": lambda picture, place: encoded(cropped(picture, 0.95, place)),
    "cropped to 90 %": lambda picture, place: encoded(cropped(picture, 0.90, place)),
    "white border of 5 %": lambda picture, _: encoded(framed(picture, 0.05, "white")),
    "black border of 10 %": lambda picture, _: encoded(framed(picture, 0.10, "black")),
    "bars to 4:3": lambda picture, _: encoded(ImageOps.pad(picture, (320, 240), color="black")),
    "JPEG quality 50": lambda picture, _: encoded(picture, 50),
    "half the size, quality 30": lambda picture, _: encoded(
        picture.resize((picture.width // 2, picture.height // 2)), 30
    ),
    "squeezed into a square": lambda picture, _: encoded(picture.resize((224, 224))),
    "brightness x 1.3": lambda picture, _: encoded(ImageEnhance.Brightness(picture).enhance(1.3)),
    "brightness x 1.5": lambda picture, _: encoded(ImageEnhance.Brightness(picture).enhance(1.5)),
    "brightness x 0.6": lambda picture, _: encoded(ImageEnhance.Brightness(picture).enhance(0.6)),
    "contrast x 1.5": lambda picture, _: encoded(ImageEnhance.Contrast(picture).enhance(1.5)),
    "grey": lambda picture, _: encoded(picture.convert("L")),
    "watermark": lambda picture, place: encoded(stamped(picture, place)),
    "logo in a corner": lambda picture, place: encoded(with_logo(picture, place)),
    "mirrored and cropped to 95 %": lambda picture, place: encoded(
        cropped(picture.transpose(Turn.FLIP_LEFT_RIGHT), 0.95, place)
    ),
}


def main(argv: list[str]) -> int:
    """Measure and print, or print JSON."""
    parser = argparse.ArgumentParser(prog="python tools/benchmark.py audit", description=summary)
    parser.add_argument("--data", type=Path, nargs="+", required=True, metavar="FOLDER", help="folders of pictures")
    parser.add_argument("--every", type=int, default=4, help="change every n-th picture")
    parser.add_argument(
        "--time", type=int, default=0, metavar="N", help="only time an audit of N pictures, taken from the folders"
    )
    parser.add_argument("--sheet", type=Path, help="PNG of the pairs among the pictures as they are")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args(argv)
    paths = {folder: sorted(p for p in folder.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES) for folder in args.data}
    if args.time:
        results = timed([path for folder in paths.values() for path in folder], args.time)
    else:
        results = {str(folder): measured(pictures, args.every) for folder, pictures in paths.items()}
        if args.sheet:
            pairs = [
                Pair(*pair[:2], f"{pair[2]:.3f} {pair[3]}") for result in results.values() for pair in result["pairs"]
            ]
            args.sheet.write_bytes(contact_sheet(Path("/"), pairs))
    print(json.dumps(results, indent=2) if args.json else text(results))
    return 0


def measured(paths: list[Path], every: int) -> dict:
    """Recall per change, and the pairs among the pictures as they are."""
    looks = seen(paths)
    pairs = near_duplicates(looks, {path: path for path in looks})
    with tempfile.TemporaryDirectory() as folder:
        recall = {name: found(change, name, paths[::every], looks, Path(folder)) for name, change in CHANGES.items()}
    number = len(paths) * (len(paths) - 1) // 2
    return {
        "pictures": len(paths),
        "pairs looked at": number,
        "pairs": pairs,
        "changed": len(paths[::every]),
        "recall": recall,
    }


def found(change: Change, name: str, originals: list[Path], looks: dict[str, Look], folder: Path) -> float:
    """Share of the changed copies that are paired with their originals, all pictures of the folder beside them."""
    copies = {}
    for i, original in enumerate(originals):
        with Image.open(original) as opened:
            content = change(opened.convert("RGB"), random.Random(f"{name} {original.name}"))
        copies[folder / f"{i}.jpg"] = str(original.absolute())
        (folder / f"{i}.jpg").write_bytes(content)
    both = looks | seen(list(copies))
    pairs = {frozenset(pair[:2]) for pair in near_duplicates(both, {path: path for path in both})}
    return sum(frozenset((str(copy), original)) in pairs for copy, original in copies.items()) / len(copies)


def seen(paths: list[Path]) -> dict[str, Look]:
    """Path -> the picture in small."""
    with ThreadPoolExecutor(THREADS) as pool:
        return dict(zip((str(path.absolute()) for path in paths), pool.map(look_at, paths), strict=True))


def timed(paths: list[Path], number: int) -> dict:
    """Wall and processor time of the whole audit: hashes, decoding, descriptors, comparisons; no hash is cached."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for i, path in enumerate(itertools.islice(itertools.cycle(paths), number)):
            content = path.read_bytes()
            repeated = content if i < len(paths) else content + b"\0"  # other bytes, the same picture: the worst case
            (root / f"{i}{path.suffix}").write_bytes(repeated)
        names = sorted(path.name for path in root.iterdir())
        table = pd.DataFrame(
            {"path": names, "label": "one", "part": [("train", "test")[i % 2] for i in range(len(names))]}
        )
        before, start = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
        report = audit(table, "timed", groupings={}, root=root)
        seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    peak = after.ru_maxrss / 1024
    return {
        "pictures": number,
        "seconds": seconds,
        "processor seconds": processor,
        "peak MiB": peak,
        "pairs": len(report.pairs),
    }


def text(results: dict) -> str:
    """The results as lines."""
    if "seconds" in results:
        return "\n".join(f"{name:18} {value:,.1f}" for name, value in results.items())
    lines = []
    for folder, result in results.items():
        lines.append(
            f"{folder}: {result['pictures']} pictures, {result['pairs looked at']:,} pairs, {len(result['pairs'])}"
            " taken for copies"
        )
        lines += [
            f"    {Path(one).name} ~ {Path(other).name} {likeness:.3f} {how}"
            for one, other, likeness, how in result["pairs"]
        ]
        lines.append(f"  recall of {result['changed']} changed pictures")
        lines += [f"    {name:32} {100 * recall:5.1f} %" for name, recall in result["recall"].items()]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
