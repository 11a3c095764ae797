"""`fgcrl push`: a finished run into a repository of the Hugging Face hub."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from finegrained_crl.cli.arguments import Parser

summary = "put a finished run into a repository of the Hugging Face hub, for timm to load"
example = "fgcrl push runs/first user/my-birds --dry-run"


def main(argv: list[str]) -> int:
    """Write the repository's files into a temporary folder, then upload them, or with --dry-run list them."""
    parser = Parser(prog="fgcrl push", description=summary, epilog=f"example: {example}")
    parser.add_argument("run", metavar="RUN", help="run folder")
    parser.add_argument("name", metavar="USER/NAME", help="repository; made where it is not there")
    parser.add_argument("--dry-run", action="store_true", help="show the files, contact nobody")
    parser.add_argument("--private", action="store_true", help="make a private repository")
    parser.add_argument("--weights", choices=("last", "selected"), help="which of the run's weights [its headline]")
    parser.add_argument("--json", action="store_true", help="print as JSON")
    arguments = parser.parse_args(argv)
    from finegrained_crl.export import hub
    from finegrained_crl.training.predictor import Predictor

    hub.check_name(arguments.name)
    predictor = Predictor(Path(arguments.run), weights=arguments.weights, device="cpu")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        hub.write_repository(predictor, arguments.name, folder)
        listed = hub.sizes(folder)
        card = (folder / "README.md").read_text(encoding="utf-8")
        url = None if arguments.dry_run else hub.upload(folder, arguments.name, private=arguments.private)
    if arguments.json:
        print(json.dumps({"name": arguments.name, "url": url, "files": listed, "card": card}, indent=2))
        return 0
    _show(arguments.name, url, listed, card)
    return 0


def _show(name: str, url: str | None, listed: dict[str, int], card: str) -> None:
    from finegrained_crl.cli.show import print_table

    rows = [[file, f"{size:,}"] for file, size in listed.items()]
    print_table(name, ("file", "bytes"), rows)
    print(f"pushed: {url}" if url else f"dry run: nothing was sent. README.md:\n\n{card}")
