"""A miniature of CIFAR-10 in its Python version: ten pictures a batch, one of each class."""

import pickle

import numpy as np

FILES = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]


def planes(pixels):
    """(n, height, width, 3) as rows of red, green and blue planes."""
    return pixels.transpose(0, 3, 1, 2).reshape(len(pixels), -1)


def write_batch(path, pixels, labels=tuple(range(10))):
    batch = {b"batch_label": b"a batch", b"labels": list(labels), b"data": planes(pixels), b"filenames": [b"a"] * 10}
    path.write_bytes(pickle.dumps(batch, protocol=2))


def make_cifar10(root):
    """The pixels of each file that was written."""
    random = np.random.default_rng(0)
    pixels = {name: random.integers(0, 256, (10, 32, 32, 3), dtype=np.uint8) for name in FILES}
    root.mkdir(parents=True)
    for name in FILES:
        write_batch(root / name, pixels[name])
    return pixels
