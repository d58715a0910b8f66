"""COCO's annotation file for detection: reading it and checking its structure.

``read_annotations`` returns the content of a file if every entry has the keys and types that mmdet
and pycocotools rely on. Otherwise it raises a ``DatasetError`` that names the first fault. Whether
the images, categories and files exist that entries refer to is checked by ``tsd.data.coco_check``.
"""

import difflib
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

Entry = dict[str, Any]

EXAMPLES = 5
"""At most so many of several faults are named in an error."""


class DatasetError(ValueError):
    """A data set is unfit for training. The message says what is wrong, where, and what to do."""


LARGEST_AREA = 1e10
"""COCO's evaluation ignores objects that have more square pixels than this."""


def _is_id(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63


def is_number(value: object) -> bool:
    """Tell whether a value is a finite number."""
    # An integer that is larger than any float would be an OverflowError sooner or later.
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= sys.float_info.max


def _is_name(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _is_box(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 4
        and all(map(is_number, value))
        and min(value[2:]) >= 0
    )


_ID = (_is_id, "an integer of at most 64 bits")
_LENGTH = (lambda value: is_number(value) and value > 0, "a number of pixels above 0")
_AREA = (
    lambda value: is_number(value) and 0 <= value <= LARGEST_AREA,
    "a number of square pixels from 0 to 10¹⁰",
)
_FLAG = (lambda value: value in (0, 1), "0 or 1")
_BOX = (
    _is_box,
    "four finite numbers, [x, y, width, height] in pixels, with a width and a height that are not "
    "negative",
)

# These are the keys that mmdet and pycocotools read without asking whether they are there.
_NEEDED: dict[str, dict[str, tuple[Callable[[Any], bool], str]]] = {
    "images": {"id": _ID, "file_name": (_is_name, "a name"), "width": _LENGTH, "height": _LENGTH},
    "annotations": {
        "id": _ID,
        "image_id": _ID,
        "category_id": _ID,
        "bbox": _BOX,
        "area": _AREA,
        "iscrowd": _FLAG,
    },
    "categories": {"id": _ID, "name": (_is_name, "a name")},
}

# And these are read where they are there.
_OPTIONAL: dict[str, dict[str, tuple[Callable[[Any], bool], str]]] = {
    "images": {},
    "annotations": {"ignore": _FLAG},
    "categories": {},
}


def some_of(values: Iterable[object], show: Callable[[object], str] = repr) -> str:
    """Return the first few values and the number of all, for an error; "nothing" of no values."""
    every = list(values)
    if not every:
        return "nothing"
    shown = ", ".join(show(value) for value in every[:EXAMPLES])
    return f"{shown}{', …' if len(every) > EXAMPLES else ''} ({len(every)} in all)"


def counted(number: int, singular: str, plural: str) -> str:
    """Return a number with what it counts, as in "1 box" and "2 boxes"."""
    return f"{number} {singular if number == 1 else plural}"


def near_names(name: str, names: Iterable[str]) -> str:
    """Return a hint at the names closest to one that is not there."""
    every = sorted(names)
    by_letters = {one.casefold(): one for one in every}
    nearest = difflib.get_close_matches(name.casefold(), by_letters, n=3, cutoff=0.5)
    if nearest:
        return f"did you mean {' or '.join(repr(by_letters[one]) for one in nearest)}?"
    return f"there are {some_of(every)}" if every else "there are none"


def read_json_file(file: Path) -> Any:
    """Read a JSON file in UTF-8, UTF-16 or UTF-32, with or without a byte order mark.

    Everything that reads annotations reads them with this, so that all agree on what is readable.

    Raises:
        DatasetError: The file is not JSON.
    """
    try:
        return json.loads(file.read_bytes())
    except UnicodeDecodeError as error:
        raise DatasetError(f"{file}: is not in UTF-8 ({error}); write it again in UTF-8") from error
    except ValueError as error:
        raise DatasetError(
            f"{file}: not JSON ({error}); it may be incomplete: fetch or write it again"
        ) from error


def read_annotations(file: Path) -> dict[str, list[Entry]]:
    """Read an annotation file and check its structure, not yet what its entries refer to.

    Args:
        file: COCO annotations for detection, a JSON file.

    Returns:
        The content of the file, by top-level key. Every image, annotation and category has the
        keys that are needed, with values of the right types, and an ``id`` of its own.

    Raises:
        DatasetError: The file is missing, is not JSON or is not in COCO's format.
    """
    if not file.is_file():
        if not file.parent.is_dir():
            raise DatasetError(f"{file}: no such file, nor its folder; correct the path")
        hint = near_names(file.name, (path.name for path in file.parent.iterdir()))
        raise DatasetError(f"{file}: no such annotation file; in its folder, {hint}")
    content = read_json_file(file)
    if not isinstance(content, dict):
        raise DatasetError(
            f"{file}: holds a JSON {type(content).__name__}, not an object with the keys "
            f"{', '.join(_NEEDED)}; is it a file of detections instead of annotations?"
        )
    for key in _NEEDED:
        if key not in content:
            raise DatasetError(
                f"{file}: the top-level key {key!r} of COCO's format for detection is missing; "
                f"it has {some_of(content)}"
            )
        _check_entries(file, key, content[key])
    return content


def _check_entries(file: Path, key: str, entries: object) -> None:
    """Check that the entries of a top-level list have the keys needed and ids of their own."""
    if not isinstance(entries, list):
        raise DatasetError(f"{file}: {key!r} is a {type(entries).__name__}, it must be a list")
    strange = [place for place, entry in enumerate(entries) if not isinstance(entry, dict)]
    if strange:
        raise DatasetError(
            f"{file}: entries of {key!r} that are no JSON objects, at (from 0) {some_of(strange)}"
        )
    for field, (_, wanted) in _NEEDED[key].items():
        missing = [place for place, entry in enumerate(entries) if field not in entry]
        if missing:
            raise DatasetError(
                f"{file}: {field!r} is missing from entries of {key!r}, at (from 0) "
                f"{some_of(missing)}; add it: {wanted}"
            )
    for field, (is_right, wanted) in {**_NEEDED[key], **_OPTIONAL[key]}.items():
        wrong = [
            place
            for place, entry in enumerate(entries)
            if field in entry and not is_right(entry[field])
        ]
        if wrong:
            raise DatasetError(
                f"{file}: {field!r} in entries of {key!r} must be {wanted}; it is "
                f"{entries[wrong[0]][field]!r} at the first of (from 0) {some_of(wrong)}"
            )
    repeated = [i for i, count in Counter(entry["id"] for entry in entries).items() if count > 1]
    if repeated:
        raise DatasetError(
            f"{file}: 'id' must be unique in {key!r}, but it repeats {some_of(repeated)}; "
            "number the entries anew"
        )
