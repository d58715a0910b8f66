"""Images that are in two splits of a data set.

A network that was trained on an image knows what is on it. Measured on the same image it looks
better than it is. Such images often have other names in each split, so that they are told by their
content, byte by byte.
"""

from collections.abc import Mapping

from tsd.data.image_files import ImageFile


def images_in_both(
    first: Mapping[str, ImageFile], second: Mapping[str, ImageFile]
) -> list[tuple[str, str]]:
    """Find the images of a split that are in another one as well.

    Args:
        first: The files of one split by their names.
        second: Those of the other split.

    Returns:
        Name in the first split, and one of the names in the second.
    """
    names = {file.content: name for name, file in second.items() if file.content}
    return [(name, names[file.content]) for name, file in first.items() if file.content in names]
