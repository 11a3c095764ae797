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
    val_fraction: float = _set(
        0.0, "data", "share of the training images cut off as validation part (subject-exclusive where known)"
    )
    convert_images: bool = _set(False, "data", "convert CMYK, 16-bit and transparent images instead of refusing them")
    class_balanced: bool = _set(False, "data", "draw every class equally often (with replacement)")
    missing: Literal["refuse", "skip"] = _set(
        "refuse", "data", "images that are listed and not there: 'skip' leaves them out, counted"
    )
    pictures_per_class: int = _set(
        0, "data", "take the first N pictures of each class and part alone, and say so in the protocol; 0 is all"
    )
    allow_leaks: bool = _set(
        False, "data", "train although a subject or picture is on both sides of the split; noted in results.json"
    )

    method: Component = _set(Component("resnet"), "model", "method; `fgcrl list methods` shows all")
    backbone: str = _set("resnet50", "model", "any timm classifier")
    weights: str = _set(
        "pretrained", "model", "'pretrained' (timm / Hugging Face), 'none', or a .safetensors / .pth FILE"
    )
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
    pad: int = _set(0, "images", "black pixels put around a training picture before a plain random crop (CIFAR: 4)")
    hflip: float = _set(0.5, "images", "probability of a horizontal flip")
    rotate: float = _set(0.0, "images", "largest rotation, degrees")
    rotate_border: Literal["reflect", "black"] = _set("reflect", "images", "what a rotation fills the corners with")
    reduced_decoding: bool = _set(
        False, "images", "decode training JPEGs at 1/2, 1/4 or 1/8, whichever still covers what is cut from them"
    )
    color_jitter: float = _set(0.0, "images", "strength of brightness, contrast and saturation changes")
    erase: float = _set(0.0, "images", "probability of hiding a random rectangle")
    views: Literal["single", "flip", "ten-crop"] = _set("single", "images", "test-time views, logits averaged")

    epochs: int = _set(30, "optimisation", "passes over the training images")
    batch_size: int = _set(32, "optimisation", "images per forward pass and process")
    drop_last: bool = _set(True, "optimisation", "leave out the last batch of an epoch where it is not full")
    accumulate: int = _set(1, "optimisation", "forward passes per update")
    optimizer: str = _set("sgd", "optimisation", "timm optimiser name: sgd (Nesterov), momentum, adamw, lamb ..")
    lr: float = _set(0.01, "optimisation", "learning rate of the backbone")
    head_lr: float | None = _set(None, "optimisation", "learning rate of the head [that of the backbone]")
    momentum: float = _set(0.9, "optimisation", "momentum, for optimisers that have one")
    weight_decay: float = _set(1e-4, "optimisation", "weight decay; of biases and norms only with --decay-all")
    decay_all: bool = _set(False, "optimisation", "decay biases and norms too, as a plain torch optimiser does")
    schedule: Literal["cosine", "step", "multistep", "constant"] = _set(
        "cosine", "optimisation", "learning-rate schedule"
    )
    decay_epochs: list[int] = _list(
        "optimisation", "epochs at which 'multistep' decays; one number: the period of 'step'"
    )
    decay_rate: float = _set(0.1, "optimisation", "factor of each decay")
    warmup_epochs: int = _set(0, "optimisation", "epochs of linear warm-up")
    min_lr: float = _set(0.0, "optimisation", "where the cosine ends")
    clip_grad: float = _set(0.0, "optimisation", "largest gradient norm; 0 is off")
    ema: float = _set(0.0, "optimisation", "decay of the averaged weights (EMA) that are evaluated; 0 is off")
    early_stopping: int = _set(
        0, "optimisation", "stop after so many epochs without a better validation accuracy; 0 is off"
    )
    test_every: int = _set(
        0, "optimisation", "also watch the test part every N epochs (never used to select); 0 = at the end only"
    )

    seed: int = _set(0, "run", "seed of weights, order, augmentation and dropout")
    precision: Literal["fp32", "bf16", "fp16", "auto"] = _set(
        "fp32", "run", "arithmetic; 'auto' times what the machine can do"
    )
    memory_format: Literal["channels_last", "contiguous", "auto"] = _set(
        "channels_last", "run", "layout of image tensors"
    )
    compile: bool | Literal["auto"] = _set(
        False,
        "run",
        "torch.compile the network: a minute at the start, faster steps after it; 'auto' tries whether the run gains",
    )
    sync_batchnorm: bool = _set(
        False, "run", "batch normalisation over the batches of all GPUs, not of each alone; of one process: no change"
    )

    def as_dict(self) -> dict[str, Any]:
        """The recipe as plain values, components as {name: .., option: ..}; what `recipe.yaml` holds."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {k: v.as_dict() if isinstance(v, Component) else v for k, v in values.items()}

    def replace(self, **changes: Any) -> Recipe:
        """A copy with some settings changed."""
        return dataclasses.replace(self, **changes)


COMPONENTS = ("dataset", "method", "loss")


def recipe_from_dict(values: dict[str, Any]) -> Recipe:
    """The recipe that `Recipe.as_dict` wrote.

    Raises:
        FinegrainedError: a setting that there is not, or a component without a name.
    """
    names = {field.name for field in dataclasses.fields(Recipe)}
    unknown = [str(key) for key in values if key not in names]
    if unknown:
        raise FinegrainedError(f"recipe: unknown setting '{unknown[0]}'; it was written by another version, or damaged")
    settings: dict[str, Any] = dict(values)
    for kind in COMPONENTS:
        if kind in values:
            settings[kind] = _component(kind, values[kind])
    return Recipe(**settings)


def _component(kind: str, value: Any) -> Component:
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        raise FinegrainedError(f"recipe: '{kind}' must be a mapping with a name, got {value!r}")
    return Component(value["name"], {option: setting for option, setting in value.items() if option != "name"})
