"""A run as a model repository of the Hugging Face hub: weights, preprocessing, card."""

from __future__ import annotations

from pathlib import Path

from finegrained_crl import files
from finegrained_crl.data.regular import read_regular
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.export.formats import quiet
from finegrained_crl.export.network import preprocessing
from finegrained_crl.export.timm_folder import is_plain_timm, needs_registration, write_timm
from finegrained_crl.training import checkpoint
from finegrained_crl.training.predictor import Predictor

REGISTER = """from finegrained_crl.networks import register_networks

register_networks()
"""


def check_name(name: str) -> None:
    """Check the name of a repository before anything is computed.

    Raises:
        FinegrainedError: it is not USER/NAME as the hub allows it.
    """
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    try:
        validate_repo_id(name)
    except HFValidationError as error:
        raise FinegrainedError(f"'{name}' is no name of a repository: {str(error).splitlines()[0]}") from None
    if "/" not in name:
        raise FinegrainedError(f"'{name}' is no name of a repository: give USER/NAME")


def write_repository(predictor: Predictor, name: str, folder: Path) -> list[str]:
    """Write what the repository is to hold.

    Returns:
        the files' names, sorted.
    """
    run = predictor.run
    if is_plain_timm(predictor):
        write_timm(predictor, folder)
    else:
        checkpoint.save_weights(folder / "model.safetensors", predictor.trainee.model.exported().state_dict())
        criteria = predictor.trainee.criteria.state_dict()
        if criteria:
            checkpoint.save_weights(folder / "loss.safetensors", criteria)
        files.write_json(
            folder / "config.json", {"library": "finegrained-crl", "num_classes": len(predictor.class_names)}
        )
    files.write_text(folder / "recipe.yaml", _recipe_without_paths(read_regular(run.checked(run.recipe)).decode()))
    files.write_json(folder / "preprocessing.json", preprocessing(predictor))
    card = read_regular(run.checked(run.model_card)).decode("utf-8")
    files.write_text(folder / "README.md", repository_card(card, predictor, name))
    return sorted(path.name for path in folder.iterdir())


def _recipe_without_paths(text: str) -> str:
    """The recipe's lines, those that name places of this machine left out; its seal would not fit any more."""
    kept = [line for line in text.splitlines() if not line.startswith(("data:", "# sha256")) and ": /" not in line]
    return "\n".join(kept) + "\n"


def repository_card(card: str, predictor: Predictor, name: str) -> str:
    """The run's model card with the lines that load this repository."""
    before, _, _ = card.partition("## Load")
    if is_plain_timm(predictor):
        register = REGISTER if needs_registration(predictor) else ""
        code = f'import timm\n\n{register}model = timm.create_model("hf-hub:{name}", pretrained=True).eval()'
    else:
        before = before.replace("library_name: timm", "library_name: finegrained-crl", 1)
        code = f"# method {predictor.recipe.method.name} of finegrained-crl, settings in recipe.yaml\n"
        code += "from safetensors.torch import load_file\n\nstate = load_file('model.safetensors')"
    sizes = "`preprocessing.json` says how pictures are resized and cropped and what the classes are called."
    return f"{before.rstrip()}\n\n## Load\n\n```python\n{code}\n```\n\n{sizes}\n"


def upload(folder: Path, name: str, *, private: bool, endpoint: str | None = None) -> str:
    """Make the repository where it is not there, and put the folder's files into it in one commit.

    Args:
        folder: what to upload.
        name: USER/NAME.
        private: of a repository that is made.
        endpoint: of the hub; None: the library's own, $HF_ENDPOINT.
    Returns:
        the address of the repository.
    Raises:
        FinegrainedError: no network, no token, or the hub refuses.
    """
    from huggingface_hub import HfApi

    api = HfApi(endpoint=endpoint)
    try:
        with quiet():
            url = api.create_repo(name, private=private, exist_ok=True)
            api.upload_folder(repo_id=name, folder_path=str(folder), commit_message="Add a model of finegrained-crl")
    except Exception as error:  # the library's own kinds, its HTTP client's, the socket's
        raise FinegrainedError(_told(error, name, api.endpoint)) from error
    return str(url)


def _told(error: Exception, name: str, endpoint: str) -> str:
    status = getattr(getattr(error, "response", None), "status_code", None)
    reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
    kind = type(error).__name__
    if status in (401, 403) or "Token" in kind:
        return f"{endpoint} refuses to write {name} ({reason}): log in with `hf auth login`, or set HF_TOKEN"
    if status is not None:
        return f"{endpoint} refuses {name} ({reason})"
    if isinstance(error, OSError) or any(word in kind for word in ("Connect", "Timeout", "Offline")):
        return f"{endpoint} can't be reached ({reason}): nothing was pushed; --dry-run shows the files without it"
    return f"{endpoint}: pushing {name} failed ({kind}: {reason})"


def sizes(folder: Path) -> dict[str, int]:
    """File -> bytes."""
    return {path.name: path.stat().st_size for path in sorted(folder.iterdir())}
