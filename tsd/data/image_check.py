"""Checks of a split's images against its annotation file, made before anything trains.

``check_images`` looks at each image (``tsd.data.image_files``), decides the frame that it is read
in (``tsd.data.image_frame``), and either counts what is to be known or raises one ``DatasetError``
that names every kind of fault, with up to five files each.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tsd.data.annotated_images import AnnotatedImage, Box
from tsd.data.coco_format import EXAMPLES, DatasetError, counted
from tsd.data.image_files import LARGEST_SIDE, MOST_PIXELS, Fault, ImageFile
from tsd.data.image_frame import EXCHANGING, STORED_AS_SHOWN, Frame, frame_of, shown_size
from tsd.data.image_manifest import content_of, read_images

SLACK, SLACK_PIXELS = 0.02, 2.0
"""A box may reach out of its image by so much of the image's side, or by so many pixels if that is
more, before it counts as one of another frame: annotations are not exact."""


@dataclass(frozen=True)
class ImageReport:
    """What the images of one split are.

    Attributes:
        images: Number of image files.
        content: Hash of their names and contents.
        turned: Images that are turned as their EXIF data say, for the annotation file gives their
            size as viewers show them.
        not_turned: Images that are not turned, though their EXIF data say so, for the annotation
            file gives the size of the stored bitmap.
        assumed: Images that are turned, although the size is the same either way: their
            annotations are taken to be of the picture as viewers show it.
        alpha: Images with an alpha channel, which is left out.
        several: Files with several pictures, of which the first is read.
    """

    images: int
    content: str
    turned: int
    not_turned: int
    assumed: int
    alpha: int
    several: int

    def told(self) -> list[str]:
        """What a person should know of the images, a line each; nothing where all is plain."""
        one_image, images = "image is", "images are"
        lines = (
            (
                self.turned,
                (one_image, images),
                "turned as their EXIF data say, to the size that is annotated",
            ),
            (
                self.not_turned,
                (one_image, images),
                "not turned, though their EXIF data say so: the annotated width and height are "
                "those of the stored picture",
            ),
            (
                self.assumed,
                (one_image, images),
                "turned as their EXIF data say, but their width and height do not tell whether "
                "that was done before they were annotated: look at the sheet of samples in the "
                "report",
            ),
            (
                self.alpha,
                ("image has", "images have"),
                "an alpha channel, which is left out: what is transparent has the colour that is "
                "stored beneath",
            ),
            (
                self.several,
                ("image file holds", "image files hold"),
                "several pictures, of which the first is read",
            ),
        )
        return [f"{counted(count, *subject)} {text}" for count, subject, text in lines if count]


def check_images(
    annotation_file: Path,
    image_dir: Path,
    images: Iterable[AnnotatedImage],
    manifest: Path,
    announce: Callable[[str], None] = print,
) -> ImageReport:
    """Check that the images of a split can be read, and are those that were annotated.

    Args:
        annotation_file: Named in errors.
        image_dir: Folder of the images.
        images: As the annotation file describes them.
        manifest: What is known of the folder's images (``tsd.data.image_manifest``).
        announce: Takes a line for the person who waits.

    Raises:
        DatasetError: An image is empty, cut off, no image, or of a format, a depth, a mode or a
            number of pixels that is not read as it was meant; it has another size than annotated;
            or boxes show that the annotated size is of another frame than they are.
    """
    annotated = list(images)
    files = read_images(image_dir, (image.file_name for image in annotated), manifest, announce)
    frames = [_frame(image, files[image.file_name]) for image in annotated]
    faults = [
        *_faulty_files(annotation_file, image_dir, files),
        *_misfits(annotation_file, image_dir, annotated, files, frames),
        *_contradictions(annotation_file, annotated, files, frames),
    ]
    if faults:
        raise DatasetError("\n".join(faults))
    decided = {image.file_name: frame for image, frame in zip(annotated, frames, strict=True)}
    count = Counter(
        frame for name, frame in decided.items() if files[name].orientation != STORED_AS_SHOWN
    )
    return ImageReport(
        images=len(files),
        content=content_of(files),
        turned=count[Frame.SHOWN],
        not_turned=count[Frame.STORED],
        assumed=count[Frame.ASSUMED],
        alpha=sum(file.alpha for file in files.values()),
        several=sum(file.pictures > 1 for file in files.values()),
    )


def _frame(image: AnnotatedImage, file: ImageFile) -> Frame | None:
    """The frame that an image is read in; None if its size is not known."""
    if not file.width:
        return None
    return frame_of((file.width, file.height), file.orientation, (image.width, image.height))


def _faulty_files(
    annotation_file: Path, folder: Path, files: Mapping[str, ImageFile]
) -> Iterable[str]:
    """Tell each kind of fault that files have, with the remedy."""
    remedy = f"or leave them out of {annotation_file}"
    texts: dict[Fault, tuple[str, Callable[[ImageFile], str], str]] = {
        Fault.UNREADABLE: (
            "image files that cannot be opened",
            lambda file: file.reason,
            "correct the path or the right to read them",
        ),
        Fault.EMPTY: ("image files that are empty", lambda _: "", f"fetch them again, {remedy}"),
        Fault.NO_IMAGE: (
            "files that are no images",
            lambda _: "",
            f"put the images there, {remedy}",
        ),
        Fault.FORMAT: (
            "images in a format that training does not read",
            lambda file: file.format,
            "convert them to PNG or JPEG",
        ),
        Fault.PIXELS: (
            f"images with more pixels than are read, which are {MOST_PIXELS} and {LARGEST_SIDE} in "
            "a row or a column",
            lambda file: file.reason or _size(file),
            "divide them or make them smaller, and their annotations too",
        ),
        Fault.DAMAGED: (
            "images that cannot be decoded, for they are cut off or damaged",
            lambda file: file.reason,
            f"fetch them again, {remedy}",
        ),
        Fault.DEPTH: (
            "images with more than 8 bits per channel, of which the loader would keep the upper 8 "
            "bits only, so that they may be almost black",
            lambda file: f"{file.bits} bits",
            "convert them to 8 bits per channel, scaled to the range of values that they use",
        ),
        Fault.COLOURS: (
            "images whose colours the loader does not read as they are meant",
            lambda file: f"{file.format}, {file.mode}",
            "convert them to RGB without an alpha channel, as PNG or JPEG",
        ),
    }
    for fault, (what, detail, advice) in texts.items():
        found = {name: detail(file) for name, file in files.items() if file.fault is fault}
        named = [f"{name!r}" + (f" ({text})" if text else "") for name, text in found.items()]
        if named:
            yield f"{folder}: {what}: {_some(named)}; {advice}"


def _misfits(
    annotation_file: Path,
    folder: Path,
    annotated: Sequence[AnnotatedImage],
    files: Mapping[str, ImageFile],
    frames: Sequence[Frame | None],
) -> Iterable[str]:
    """Tell which images have another size than annotated, turned or not."""
    misfits = [
        f"{image.file_name!r} is {_size(files[image.file_name])}, but annotated as "
        f"{image.width:g} × {image.height:g}"
        for image, frame in zip(annotated, frames, strict=True)
        if frame is Frame.NEITHER
    ]
    if misfits:
        yield (
            f"{folder}: images of another size than their 'width' and 'height' in "
            f"{annotation_file}: {_some(misfits)}; put the images there that were annotated, or "
            "correct the file, boxes and masks too if they are of the other size"
        )


def _contradictions(
    annotation_file: Path,
    annotated: Sequence[AnnotatedImage],
    files: Mapping[str, ImageFile],
    frames: Sequence[Frame | None],
) -> Iterable[str]:
    """Tell where boxes reach out of the frame that the sizes say, but would fit the other one."""
    for frame, of, other in (
        (Frame.STORED, "the stored picture", "the picture as viewers show it"),
        (Frame.SHOWN, "the picture as viewers show it", "the stored picture"),
    ):
        out = {
            image.file_name: number
            for image, decided in zip(annotated, frames, strict=True)
            if decided is frame
            and files[image.file_name].orientation in EXCHANGING
            and (number := _boxes_of_the_other_frame(image))
        }
        if out:
            named = [f"{name!r} ({number} of its boxes)" for name, number in out.items()]
            yield (
                f"{annotation_file}: 'width' and 'height' are those of {of}, but boxes reach out "
                f"of that and fit {other}, in images that their EXIF data turn: {_some(named)}, "
                f"{counted(sum(out.values()), 'box', 'boxes')} in all; exchange 'width' and "
                "'height' of these images if their boxes are right, or correct the boxes"
            )


def _boxes_of_the_other_frame(image: AnnotatedImage) -> int:
    """How many boxes reach out of the image, if all of them fit it with width and height changed.

    A single box that fits neither, or only the frame decided, speaks against the other frame.
    """
    out = sum(not _fits(box, image.width, image.height) for box in image.boxes)
    return out if all(_fits(box, image.height, image.width) for box in image.boxes) else 0


def _fits(box: Box, *size: float) -> bool:
    """Whether a box lies within an image of a width and a height, but for the slack."""
    return all(
        start >= -slack and start + length <= side + slack
        for start, length, side in zip(box[:2], box[2:], size, strict=True)
        for slack in [max(SLACK_PIXELS, SLACK * side)]
    )


def _size(file: ImageFile) -> str:
    """The size of a file's picture, also as viewers show it where that is another."""
    stored = (file.width, file.height)
    shown = shown_size(stored, file.orientation)
    text = f"{file.width} × {file.height}"
    return text if shown == stored else f"{text}, turned by its EXIF data {shown[0]} × {shown[1]}"


def _some(texts: Sequence[str]) -> str:
    """The first few, and how many there are."""
    more = ", …" if len(texts) > EXAMPLES else ""
    return f"{', '.join(texts[:EXAMPLES])}{more} ({len(texts)} in all)"
