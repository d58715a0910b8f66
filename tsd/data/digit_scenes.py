"""Scenes of the embedded data set: photographs with handwritten digits stuck onto them.

Nothing is downloaded. The scenes are made from two things that ship with scikit-learn:

* The objects are the 1,797 scans of ``sklearn.datasets.load_digits``, a copy of the test part of
  the UCI "Optical Recognition of Handwritten Digits" data set (E. Alpaydin, C. Kaynak). They are
  real handwriting: 8 × 8 pixels with 17 grey levels, in ten classes.
* The backgrounds are crops of the two photographs of ``load_sample_images``, ``china.jpg`` and
  ``flower.jpg``. Both are under CC BY 2.0. scikit-learn's README for them names their authors.

Every digit is a *sticker*: its scan is enlarged smoothly, turned by up to 15 degrees and cut out
along a ragged, filled outline around the ink. Stickers are from about 16 pixels to 0.95 S high, in
steps of about equal ratios. The paper is light and the ink dark, both tinted at random. In one
pair of colours of eight the two are closer to each other. Size, aspect ratio, colours and overlap
vary, and some stickers are *distractors*, which are no digits and not annotated. Therefore
classifying and localising are two different problems, and a small detector can make progress on
both. An object's mask is what remains *visible* of it, without what later stickers hide.

The same arguments of ``render`` give the same pixels on every machine, for two reasons:

* Each image has a random generator of its own, seeded by (seed, split, index), from which only
  integers are drawn.
* Images are resized, turned and blurred by Pillow's fixed-point code for 8-bit images and composed
  in integer arithmetic. JPEG decoders disagree only on subsampled colour, which neither photograph
  has.

Whoever changes the pixels has to raise ``tsd.data.version.GENERATOR_VERSION``.

Training and validation share no digit scan and no region of a photograph. Scans are divided by
their position and not at random, because neighbours in scikit-learn's order tend to be from the
same hand.

Shapes: H, W height and width in pixels; S the side of the square images.
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from sklearn.datasets import load_digits, load_sample_images

CLASSES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SPLITS = ("train", "val")

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Sticker:
    """Something to stick onto an image.

    Attributes:
        pixels: Colours, [H, W, 3].
        mask: True where the sticker covers what lies below it, [H, W]. It touches all four sides.
        label: Index into ``CLASSES``, or None for a distractor.
    """

    pixels: Pixels
    mask: Mask
    label: int | None


@functools.cache
def split_scans(split: str) -> tuple[Pixels, NDArray[np.int64]]:
    """Return the scans [N, 8, 8] (0 to 16) and labels [N] of a split; train has three quarters."""
    digits = load_digits()
    border = len(digits.target) * 3 // 4
    part = slice(None, border) if split == "train" else slice(border, None)
    return digits.images[part].astype(np.uint8), digits.target[part]


@functools.cache
def split_photos(split: str) -> tuple[Pixels, ...]:
    """Return the regions [H, W, 3] of a split; train has the left 70 % of each photograph."""
    photos = load_sample_images().images
    borders = [photo.shape[1] * 7 // 10 for photo in photos]
    if split == "train":
        return tuple(photo[:, :border] for photo, border in zip(photos, borders, strict=True))
    return tuple(photo[:, border:] for photo, border in zip(photos, borders, strict=True))


def tight_box(mask: Mask) -> tuple[int, int, int, int]:
    """Return the smallest box (x, y, w, h) around the true pixels of a non-empty mask [H, W]."""
    xs, ys = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    return int(xs[0]), int(ys[0]), int(xs[-1] - xs[0]) + 1, int(ys[-1] - ys[0]) + 1


def _draw(rng: np.random.Generator, low: int, high: int) -> int:
    """Draw an integer from ``low`` to ``high``, both included."""
    return int(rng.integers(low, high, dtype=np.int64, endpoint=True))


def _heights(size: int) -> list[int]:
    """Return heights of stickers from 16 pixels to 0.95 S, each about 1/15 above the last."""
    heights = [16]
    while (higher := heights[-1] + max(1, heights[-1] // 15)) <= size * 95 // 100:
        heights.append(higher)
    return heights


def _background(rng: np.random.Generator, split: str, size: int) -> Pixels:
    """Return a random square crop of a photograph, mirrored or not, scaled to [S, S, 3]."""
    photos = split_photos(split)
    photo = photos[_draw(rng, 0, len(photos) - 1)]
    side = _draw(rng, 64, min(photo.shape[:2]))
    x, y = _draw(rng, 0, photo.shape[1] - side), _draw(rng, 0, photo.shape[0] - side)
    crop = photo[y : y + side, x : x + side][:, :: _draw(rng, 0, 1) * 2 - 1]
    picture = Image.fromarray(np.ascontiguousarray(crop))
    return np.array(picture.resize((size, size), Image.Resampling.BICUBIC))


def _distractor(rng: np.random.Generator, scan: Pixels) -> Pixels:
    """Return a patch [8, 8] that is no digit: a block, an X, two bars or a scrambled scan."""
    match _draw(rng, 0, 3):
        case 0:
            return np.pad(np.full((8, 6), 16, np.uint8), ((0, 0), (1, 1)))
        case 1:
            return np.maximum(np.eye(8, dtype=np.uint8), np.eye(8, dtype=np.uint8)[::-1]) * 16
        case 2:
            return np.repeat(np.array([16, 16, 0, 0, 0, 0, 16, 16], np.uint8)[:, None], 8, axis=1)
        case _:  # Since 64 is a power of two, odd steps visit each pixel once.
            step = 2 * _draw(rng, 4, 11) + 1
            return scan.reshape(64)[np.arange(64) * step % 64].reshape(8, 8)


def _colours(rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw the colours [2, 3] of light paper and dark ink; one pair of eight is closer."""
    dark, light = ((70, 110), (150, 190)) if _draw(rng, 1, 8) == 1 else ((10, 70), (175, 235))
    grey = np.array([[_draw(rng, *light)], [_draw(rng, *dark)]])
    return (grey + rng.integers(-45, 45, (2, 3), np.int64)).clip(0, 255)


def _filled(mask: Mask) -> Mask:
    """Fill a mask [H, W]: add pixels that have mask above, below, left and right of them."""
    reach = np.logical_or.accumulate
    across = reach(mask, axis=1) & reach(mask[:, ::-1], axis=1)[:, ::-1]
    return across & reach(mask, axis=0) & reach(mask[::-1], axis=0)[::-1]


def _sticker(
    rng: np.random.Generator, patch: Pixels, label: int | None, height: int, width: int
) -> Sticker:
    """Scale a patch [8, 8] to about ``height`` × ``width`` pixels, turn it and cut it out."""
    border = max(1, height * _draw(rng, 4, 9) // 100)
    # The ink of most scans fills all eight rows but only six of the eight columns.
    inked = (max(8, (width - 2 * border) * 8 // 6), max(8, height - 2 * border))
    margin = 3 * border + max(inked) // 6
    # The sheet is twice as large as needed and reduced after turning, because turning takes the
    # nearest pixel and would leave steps in the ink.
    sheet = Image.new("L", (2 * (inked[0] + 2 * margin), 2 * (inked[1] + 2 * margin)))
    scan = Image.fromarray(patch * 15).resize(
        (2 * inked[0], 2 * inked[1]), Image.Resampling.BICUBIC
    )
    sheet.paste(scan, (2 * margin, 2 * margin))
    ink = sheet.rotate(_draw(rng, -15, 15), Image.Resampling.NEAREST).reduce(2)
    ink = ink.point(lambda level: min(255, max(0, 2 * level - 110)))
    halo = ink.point(lambda level: 255 * (level > 60))
    for _ in range(2):
        halo = halo.filter(ImageFilter.BoxBlur(border))
    notches = rng.integers(
        15, 110, (ink.height // (2 * border) + 2, ink.width // (2 * border) + 2), np.uint8
    )
    ragged = Image.fromarray(notches).resize(ink.size, Image.Resampling.BICUBIC)
    mask = _filled(np.asarray(halo) > np.asarray(ragged))
    x, y, w, h = tight_box(mask)
    cut = np.s_[y : y + h, x : x + w]
    paper_colour, ink_colour = _colours(rng)
    blend = np.asarray(ink, np.int64)[cut][..., None]
    pixels = (paper_colour * (255 - blend) + ink_colour * blend) // 255
    return Sticker(pixels.astype(np.uint8), mask[cut], label)


def _stickers(rng: np.random.Generator, split: str, size: int) -> Iterator[Sticker]:
    """Yield 2 to 6 digits and up to 3 distractors, from the lowest to the topmost.

    Half of the scenes have a big digit below the other digits, a quarter has only digits of the
    upper half of sizes, and a quarter mixes all sizes.
    """
    scans, labels = split_scans(split)
    heights = _heights(size)
    third, half = len(heights) // 3, len(heights) // 2
    digits, below, above = _draw(rng, 2, 6), _draw(rng, 0, 2), _draw(rng, 0, 1)
    scene = ("big", "big", "near", "mixed")[_draw(rng, 0, 3)]
    for place in range(-below, digits + above):
        index = _draw(rng, 0, len(scans) - 1)
        is_digit = 0 <= place < digits
        patch = scans[index] if is_digit else _distractor(rng, scans[index])
        label = int(labels[index]) if is_digit else None
        aspect = _draw(rng, 50, 160)
        if scene == "big" and place == 0:
            height, aspect = heights[_draw(rng, -4, -1)], _draw(rng, 105, 140)
        elif scene == "big" or label is None:
            height = heights[_draw(rng, third // 2, 2 * third)]
        else:
            height = heights[_draw(rng, half if scene == "near" else 0, len(heights) - 1)]
        if label == CLASSES.index("one"):
            aspect = min(aspect, 70)  # A one that is stretched to a wide box looks like a blot.
        yield _sticker(rng, patch, label, height, min(height * aspect // 100, size * 95 // 100))


def _fits(owner: NDArray[np.int16], placed: list[Sticker], mask: Mask, x: int, y: int) -> bool:
    """Tell whether a sticker with this mask may lie with its upper left corner at (x, y).

    It may if at least half of each digit below it stays visible, in a box of at least 4 pixels in
    width and height.
    """
    h, w = mask.shape
    for number in np.unique(owner[y : y + h, x : x + w][mask]):
        if number and placed[number - 1].label is not None:
            visible = owner == number
            visible[y : y + h, x : x + w] &= ~mask
            if 2 * visible.sum() < placed[number - 1].mask.sum() or min(tight_box(visible)[2:]) < 4:
                return False
    return True


def render(seed: int, size: int, split: str, index: int) -> tuple[Pixels, list[tuple[int, Mask]]]:
    """Return image ``index`` [S, S, 3] and, for each digit, its label and visible mask [S, S].

    Each sticker has ten tries to find a place where at least half of every digit below it stays
    visible, and is left out if it finds none. One sticker of four is tried beside or across the one
    before, the others anywhere.
    """
    rng = np.random.default_rng([seed, SPLITS.index(split), index])
    canvas = _background(rng, split, size)
    # The number of the topmost sticker at each pixel, counted from 1, or 0 where there is none.
    owner = np.zeros(canvas.shape[:2], np.int16)
    placed: list[Sticker] = []
    # Boxes xywh: where the latest sticker lies, and the whole image.
    latest = anywhere = (0, 0, size, size)
    for sticker in _stickers(rng, split, size):
        h, w = sticker.mask.shape
        if max(h, w) > size:
            continue
        left, top, around_w, around_h = latest if _draw(rng, 1, 4) == 1 else anywhere
        for _ in range(10):
            x = _draw(rng, max(0, left - w), min(left + around_w, size - w))
            y = _draw(rng, max(0, top - h), min(top + around_h, size - h))
            if _fits(owner, placed, sticker.mask, x, y):
                placed.append(sticker)
                latest = (x, y, w, h)
                owner[y : y + h, x : x + w][sticker.mask] = len(placed)
                canvas[y : y + h, x : x + w][sticker.mask] = sticker.pixels[sticker.mask]
                break
    grain = rng.integers(-8, 8, canvas.shape, np.int16, endpoint=True)
    objects = [
        (sticker.label, owner == number)
        for number, sticker in enumerate(placed, start=1)
        if sticker.label is not None
    ]
    return (canvas + grain).clip(0, 255).astype(np.uint8), objects
