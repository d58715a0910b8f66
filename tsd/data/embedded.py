"""The embedded detection data set: photographs with handwritten digits stuck onto them.

It is in COCO's format and needs no download, so that a detector can be trained and evaluated from
end to end, on any machine, within minutes of installing the project. ``tsd.data.digit_scenes``
draws the scenes and says what they are made of. This module writes as many of them as asked for.

An annotation covers what is *visible* of a digit: its box is tight around the visible mask (COCO
xywh in whole pixels), and ``area`` is the area of that mask in pixels.

The same spec gives the same bytes on every machine, so that a digest can stand for the data. Three
things see to that:

* The pixels of a scene depend on nothing but the seed, the size, the split and the index.
* The data in a PNG file is stored and not compressed, because builds of zlib compress differently.
* JSON is written with sorted keys and no floating-point numbers.

Shapes: H, W height and width in pixels; S the side of the square images.
"""

import hashlib
import json
import shutil
import struct
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as rle

from tsd.data.coco_check import size_bin
from tsd.data.digit_scenes import CLASSES, SPLITS, Pixels, render, tight_box
from tsd.data.version import GENERATOR_VERSION


@dataclass(frozen=True)
class EmbeddedSpec:
    """What to generate. Together with ``GENERATOR_VERSION`` it determines every byte.

    Attributes:
        seed: Non-negative seed of all random choices.
        train_images: Number of training images, at least 1.
        val_images: Number of validation images, at least 1.
        size: Side S of the square images in pixels, at least 64. From about 150 there are objects
            that COCO calls large, those above 96 × 96 pixels.
    """

    seed: int = 0
    train_images: int = 1200
    val_images: int = 200
    size: int = 160

    def __post_init__(self) -> None:
        """Raise ``ValueError`` for a value out of range."""
        for name, least in (("seed", 0), ("train_images", 1), ("val_images", 1), ("size", 64)):
            if getattr(self, name) < least:
                raise ValueError(f"EmbeddedSpec.{name} is {getattr(self, name)}, below {least}")


def encode_png(pixels: Pixels) -> bytes:
    """Encode an image [H, W, 3] as a PNG whose data is stored, the same bytes everywhere.

    The blocks are written here and not by Pillow, because its ``compress_level=0`` leaves their
    length to the zlib in use.
    """

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    height, width, _ = pixels.shape
    # The 0 before each line tells that the line is not filtered.
    lines = np.pad(pixels.reshape(height, -1), ((0, 0), (1, 0))).tobytes()
    stream = b"\x78\x01"
    for start in range(0, len(lines), 0xFFFF):
        block = lines[start : start + 0xFFFF]
        is_last = start + 0xFFFF >= len(lines)
        stream += struct.pack("<BHH", is_last, len(block), len(block) ^ 0xFFFF) + block
    stream += struct.pack(">I", zlib.adler32(lines))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", stream) + chunk(b"IEND", b"")
    )


def _write_json(path: Path, content: object) -> None:
    """Write JSON as bytes that depend on nothing but the content."""
    path.write_text(json.dumps(content, sort_keys=True, separators=(",", ":")) + "\n")


def _write_split(root: Path, spec: EmbeddedSpec, split: str, count: int) -> dict[str, int]:
    """Write the images and annotations of a split; return its number of objects by size."""
    images: list[dict[str, object]] = []
    annotations: list[dict[str, object]] = []
    sizes = {"large": 0, "medium": 0, "small": 0}
    (root / split).mkdir()
    for image_id in range(1, count + 1):
        pixels, objects = render(spec.seed, spec.size, split, image_id - 1)
        name = f"{image_id:06d}.png"
        (root / split / name).write_bytes(encode_png(pixels))
        images.append(
            {
                "id": image_id,
                "file_name": name,
                "height": spec.size,
                "width": spec.size,
                "license": 1,
            }
        )
        for label, mask in objects:
            area = int(mask.sum())
            sizes[size_bin(area)] += 1
            encoded = rle.encode(np.asfortranarray(mask, np.uint8))
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image_id,
                    "category_id": label + 1,
                    "bbox": tight_box(mask),
                    "area": area,
                    "segmentation": {"size": encoded["size"], "counts": encoded["counts"].decode()},
                    "iscrowd": 0,
                }
            )
    content = {
        "info": {"description": f"Embedded digits, {split}", "version": str(GENERATOR_VERSION)},
        "licenses": [{"id": 1, "name": "Digits: UCI, CC BY 4.0; photographs: CC BY 2.0"}],
        "images": images,
        "annotations": annotations,
        "categories": [{"id": i, "name": name} for i, name in enumerate(CLASSES, start=1)],
    }
    _write_json(root / "annotations" / f"{split}.json", content)
    return sizes | {"total": len(annotations)}


def _digest(root: Path) -> str:
    """Return the SHA-256 over names and contents of a data set's files, in the order of names."""
    digest = hashlib.sha256()
    folders = (root / name for name in ("annotations", *SPLITS))
    for path in sorted(path for folder in folders for path in folder.iterdir()):
        digest.update(f"{path.relative_to(root).as_posix()} {path.stat().st_size}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _read_manifest(path: Path) -> dict[str, Any]:
    """Return the content of a manifest, empty if the file is missing or was not written here."""
    try:
        content = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def make_embedded(root: Path, spec: EmbeddedSpec = EmbeddedSpec()) -> Path:
    """Make the embedded data set, unless it is there already.

    What is written are ``train/``, ``val/``, ``annotations/train.json`` and
    ``annotations/val.json`` and, when these are complete, ``manifest.json`` with the spec, the
    generator's version, the number of images and objects and a SHA-256 over all other files.

    A data set of another spec or version is replaced. One without a manifest is made anew: its
    making was interrupted, or Snakemake has removed the manifest, as it removes an output before it
    runs the rule again. The file ``.embedded`` marks a folder that this function has written, so
    that nothing made elsewhere is ever replaced.

    Args:
        root: Folder for the data set. It is made if it is missing.
        spec: What to make.

    Returns:
        The path of the manifest.

    Raises:
        FileExistsError: ``root`` has a file or folder with one of these names that was not written
            by this function.
    """
    manifest, unfinished = root / "manifest.json", root / "manifest.json.unfinished"
    identity = {"spec": asdict(spec), "generator_version": GENERATOR_VERSION}
    found = _read_manifest(manifest)
    if identity.items() <= found.items():
        return manifest
    folders = [root / name for name in ("annotations", *SPLITS)]
    present = [path for path in (manifest, *folders) if path.exists()]
    ours = root / ".embedded"
    if present and not (ours.exists() or unfinished.exists() or "generator_version" in found):
        raise FileExistsError(
            f"{present[0]} exists, but was not written by make_embedded: "
            f"name another folder than {root}, or remove what is there"
        )
    root.mkdir(parents=True, exist_ok=True)
    ours.touch()
    _write_json(unfinished, identity)
    manifest.unlink(missing_ok=True)
    for folder in folders:
        if folder.exists():
            shutil.rmtree(folder)
    (root / "annotations").mkdir()
    counts = {"train": spec.train_images, "val": spec.val_images}
    objects = {split: _write_split(root, spec, split, count) for split, count in counts.items()}
    _write_json(
        unfinished, identity | {"images": counts, "objects": objects, "sha256": _digest(root)}
    )
    unfinished.replace(manifest)
    return manifest
