"""The recipe: every setting that a training run has, typed once, for YAML files and command-line flags alike."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal

from finegrained_crl.errors import FinegrainedError


@dataclass(frozen=True)
class Component:
    """A thing chosen by name with options of its own: the data set, the method or the loss.

    In a recipe file: `loss: {name: crl, alpha: 1.5, beta: 1.0}`; on the command line: `--loss crl --loss.alpha 1.5`.
    """

    name: str
    options: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The form that a recipe file has."""
        return {"name": self.name, **self.options}

    def __str__(self) -> str:
        options = ", ".join(f"{k} {v}" for k, v in self.options.items())
        return f"{self.name} ({options})" if options else self.name


def _set(default: Any, group: str, text: str) -> Any:
    return field(default=default, metadata={"group": group, "help": text})


def _list(group: str, text: str) -> Any:
    return field(default_factory=list, metadata={"group": group, "help": text})


@dataclass(frozen=True)
class Recipe:
    """All settings of one run. What it says is what ran: it is saved, resolved and complete, as `recipe.yaml`."""

    dataset: Component = _set(Component("image_folder"), "data", "data set; `fgcrl list datasets` shows all")
    data: str = _set("", "data", "folder (or CSV file) that holds the data set")
    split: str | None = _set(None, "data", "part held out for the final evaluation [test]")
    fold: int | None = _set(None, "data", "fold held out for the final evaluation, for data sets that have folds")
    val_fraction: float = _set(0.0, "data", "share of the training images cut off as validation part (subject-exclusive where known)")
    convert_images: bool = _set(False, "data", "convert CMYK, 16-bit and transparent images instead of refusing them")
    class_balanced: bool = _set(False, "data", "draw every class equally often (with replacement)")
    missing: Literal["refuse", "skip"] = _set("refuse", "data", "images that are listed and not there: 'skip' leaves them out, counted")
    allow_leaks: bool = _set(False, "data", "train although a subject or picture is on both sides of the split; noted in results.json")

    method: Component = _set(Component("resnet"), "model", "method; `fgcrl list methods` shows all")
    backbone: str = _set("resnet50", "model", "any timm classifier")
    weights: str = _set("pretrained", "model", "'pretrained' (timm / Hugging Face), 'none', or a .safetensors / .pth FILE")
    drop_rate: float = _set(0.0, "model", "dropout before the head")
    drop_path_rate: float = _set(0.0, "model", "stochastic depth, for backbones that have it")
    freeze: list[str] = _list("model", "modules kept as they are: name prefixes, or 'backbone' for all but the head")

    loss: Component = _set(Component("crl"), "loss", "loss; `fgcrl list losses` shows all")
    label_smoothing: float = _set(0.0, "loss", "share of each label spread evenly over all classes")
    mixup: float = _set(0.0, "loss", "alpha of mixup's Beta distribution; 0 is off")
    cutmix: float = _set(0.0, "loss", "alpha of CutMix's Beta distribution; 0 is off")

    image_size: int = _set(224, "images", "side of the square network input, pixels")
    resize: Literal["crop", "squash"] = _set(
        "crop", "images", "'crop' keeps the aspect ratio (short side, then centre crop); 'squash' resizes to a square"
    )
    resize_ratio: float = _set(1.143, "images", "size before cropping over image_size (1.143 = 512 / 448 = 256 / 224)")
    eval_resize_ratio: float = _set(1.143, "images", "the same at evaluation; 1 with 'squash' shows the whole picture")
    crop_scale: float = _set(0.08, "images", "smallest share of the area a random crop may have; 1 = plain random crop")
    hflip: float = _set(0.5, "images", "probability of a horizontal flip")
    rotate: float = _set(0.0, "images", "largest rotation, degrees")
    color_jitter: float = _set(0.0, "images", "strength of brightness, contrast and saturation changes")
    erase: float = _set(0.0, "images", "probability of hiding a random rectangle")
    views: Literal["single", "flip", "ten-crop"] = _set("single", "images", "test-time views, logits averaged")

    epochs: int = _set(30, "optimisation", "passes over the training images")
    batch_size: int = _set(32, "optimisation", "images per forward pass and process")
    accumulate: int = _set(1, "optimisation", "forward passes per update")
    optimizer: str = _set("sgd", "optimisation", "timm optimiser name: sgd (Nesterov), momentum, adamw, lamb ..")
    lr: float = _set(0.01, "optimisation", "learning rate of the backbone")
    head_lr: float | None = _set(None, "optimisation", "learning rate of the head [that of the backbone]")
    momentum: float = _set(0.9, "optimisation", "momentum, for optimisers that have one")
    weight_decay: float = _set(1e-4, "optimisation", "weight decay; biases and norms are left out")
    schedule: Literal["cosine", "step", "multistep", "constant"] = _set("cosine", "optimisation", "learning-rate schedule")
    decay_epochs: list[int] = _list("optimisation", "epochs at which 'multistep' decays; one number: the period of 'step'")
    decay_rate: float = _set(0.1, "optimisation", "factor of each decay")
    warmup_epochs: int = _set(0, "optimisation", "epochs of linear warm-up")
    min_lr: float = _set(0.0, "optimisation", "where the cosine ends")
    clip_grad: float = _set(0.0, "optimisation", "largest gradient norm; 0 is off")
    ema: float = _set(0.0, "optimisation", "decay of the averaged weights (EMA) that are evaluated; 0 is off")
    early_stopping: int = _set(0, "optimisation", "stop after so many epochs without a better validation accuracy; 0 is off")
    test_every: int = _set(0, "optimisation", "also watch the test part every N epochs (never used to select); 0 = at the end only")

    seed: int = _set(0, "run", "seed of weights, order, augmentation and dropout")
    precision: Literal["fp32", "bf16", "fp16", "auto"] = _set("fp32", "run", "arithmetic; 'auto' times what the machine can do")
    memory_format: Literal["channels_last", "contiguous", "auto"] = _set("channels_last", "run", "layout of image tensors")

    def as_dict(self) -> dict[str, Any]:
        """The recipe as plain values, components as {name: .., option: ..}; what `recipe.yaml` holds."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {k: v.as_dict() if isinstance(v, Component) else v for k, v in values.items()}

    def replace(self, **changes: Any) -> Recipe:
        """A copy with some settings changed."""
        return dataclasses.replace(self, **changes)


COMPONENTS = ("dataset", "method", "loss")


def recipe_from_dict(values: dict[str, Any]) -> Recipe:
    """The recipe that `Recipe.as_dict` wrote."""
    parts = {k: Component(v["name"], {o: x for o, x in v.items() if o != "name"}) for k, v in values.items() if k in COMPONENTS}
    return Recipe(**{**values, **parts})


def check_recipe(recipe: Recipe) -> None:
    """Raise one FinegrainedError that lists every setting out of range or in conflict with another."""
    problems = [text for broken, text in _rules(recipe) if broken]
    if problems:
        raise FinegrainedError("; ".join(problems))


def _rules(r: Recipe) -> list[tuple[bool, str]]:
    at_least_one = [(getattr(r, k) < 1, f"{_flag(k)} must be at least 1, got {getattr(r, k)}") for k in _POSITIVE]
    shares = [(not 0 <= getattr(r, k) < 1, f"{_flag(k)} must be in [0, 1), got {getattr(r, k)}") for k in _SHARES]
    not_negative = [(getattr(r, k) < 0, f"{_flag(k)} must not be negative, got {getattr(r, k)}") for k in _NOT_NEGATIVE]
    return [
        (not r.data, "--data is missing: give the folder (or CSV file) that holds the data set"),
        *at_least_one,
        *shares,
        *not_negative,
        (not 0 < r.crop_scale <= 1, f"--crop-scale must be in (0, 1], got {r.crop_scale}"),
        (min(r.resize_ratio, r.eval_resize_ratio) < 1, "--resize-ratio and --eval-resize-ratio must be at least 1"),
        (not 0 <= r.hflip <= 1, f"--hflip must be in [0, 1], got {r.hflip}"),
        (r.split is not None and r.fold is not None, "give --split or --fold, not both"),
        (
            r.early_stopping > 0 and r.val_fraction == 0,
            "--early-stopping needs a validation part: add --val-fraction 0.1 (the test part is never used to stop)",
        ),
        (
            (r.mixup > 0 or r.cutmix > 0) and r.batch_size % 2 == 1,
            f"mixup and CutMix pair the images of a batch: --batch-size must be even, got {r.batch_size}",
        ),
        (
            r.label_smoothing > 0 and r.loss.options.get("label_smoothing", 0) > 0,
            "--label-smoothing and --loss.label-smoothing would smooth twice: give one of them",
        ),
        (r.schedule == "step" and len(r.decay_epochs) != 1, "--schedule step needs one --decay-epochs number, the period"),
        (r.schedule == "multistep" and not r.decay_epochs, "--schedule multistep needs --decay-epochs, e.g. '[80]'"),
        (r.warmup_epochs >= r.epochs > 0, f"--warmup-epochs {r.warmup_epochs} must be less than --epochs {r.epochs}"),
    ]


_POSITIVE = ("epochs", "batch_size", "image_size", "accumulate")
_SHARES = ("val_fraction", "drop_rate", "drop_path_rate", "label_smoothing", "ema", "momentum")
_NOT_NEGATIVE = (
    "mixup",
    "cutmix",
    "rotate",
    "color_jitter",
    "erase",
    "lr",
    "weight_decay",
    "warmup_epochs",
    "min_lr",
    "clip_grad",
    "early_stopping",
    "test_every",
    "seed",
)


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")
