"""What tells one content of a split's images from another, at the price of looking at their times.

What a run is trained on has to be part of its identity: where images are replaced and the
annotations stay, the old weights must not pass for those of the new images. Hashing a hundred
thousand images takes minutes, and identities are asked for by every command. So the hash is
remembered with the sizes and times of the files that it was made of. As long as those are the same,
the remembered hash is taken; where some differ, only these files are read again
(:mod:`tsd.data.image_manifest`).
"""

import functools
import json
from collections.abc import Callable
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from tsd.data.coco_format import DatasetError
from tsd.data.image_manifest import content_of, is_up_to_date, manifest_path, read_images
from tsd.run_folder import read_json, write_text


@functools.cache
def images_content(
    annotation_file: Path,
    folder: Path,
    images: str,
    results: Path,
    announce: Callable[[str], None],
) -> str | None:
    """Hash of the images that an annotation file names: of their names and contents.

    A process looks once; :func:`look_again` has it look anew.

    Args:
        annotation_file: Of the split.
        folder: Of the split's images.
        images: Names the function that yields the images of an annotation file, as
            ``module:function``. It is called only where that file or an image has changed.
        results: Folder of all results, in which is remembered what was found.
        announce: Takes a line for the person who waits.

    Returns:
        32 hexadecimal digits; None where the split is not there or is malformed, which the check
        of the data set explains.
    """
    if not annotation_file.is_file() or not folder.is_dir():
        return None
    manifest = manifest_path(results, folder)
    memory = manifest.with_suffix(".contents.json")
    state = annotation_file.stat()
    annotated = [state.st_size, state.st_mtime_ns]
    known = _remembered(memory)
    place = str(annotation_file.absolute())
    if known.get(place, [None])[:-1] == annotated and is_up_to_date(folder, manifest):
        return str(known[place][-1])
    try:
        names = [image.file_name for image in resolve_name(images)(annotation_file)]
        files = read_images(folder, names, manifest, announce)
    except DatasetError:
        return None
    content = content_of(files)
    write_text(memory, json.dumps({**_remembered(memory), place: [*annotated, content]}))
    return content


def _remembered(memory: Path) -> dict[str, list[Any]]:
    """What earlier calls have found; nothing where the file is damaged, which costs only time."""
    try:
        found = read_json(memory)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def look_again() -> None:
    """Forget what this process has seen of images."""
    images_content.cache_clear()
