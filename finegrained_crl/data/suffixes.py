"""Which names are pictures, and which are pictures that are not read here."""

from __future__ import annotations

import importlib.util

HEIF_SUFFIXES = frozenset({".heic", ".heif"})
HAS_HEIF = importlib.util.find_spec("pillow_heif") is not None
IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".gif", ".avif"}
) | (HEIF_SUFFIXES if HAS_HEIF else frozenset())
UNREAD_SUFFIXES = (
    HEIF_SUFFIXES
    | frozenset({".jxl", ".jp2", ".j2k", ".psd", ".svg", ".ico", ".tga", ".exr", ".hdr"})
    | frozenset({".dng", ".cr2", ".cr3", ".nef", ".arw", ".raw"})
) - IMAGE_SUFFIXES
"""Pictures all the same: a folder that holds them is not what it seems, so they are counted and told."""
