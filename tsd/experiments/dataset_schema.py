"""What a YAML file says of a data set."""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from tsd.experiments.declaration import Declaration, Differences, Identifier

MAX_DETECTIONS = 100
"""How many detections count in COCO's protocol."""


class Split(Declaration):
    """One split of a data set; its paths are relative to the data set's root."""

    annotations: Annotated[str, Field(examples=["annotations/instances_train2017.json"])]
    """This file holds the annotations."""

    images: Annotated[str, Field(examples=["train2017/"])]
    """This folder holds the images."""


class Embedded(Declaration):
    """The content of the data set that the workflow makes itself, digits on photographs."""

    seed: Annotated[int, Field(examples=[0])] = 0
    """The random choices of the images follow from this number."""

    train_images: Annotated[int, Field(ge=1, examples=[24])] = 1200
    """The training split has this many images."""

    val_images: Annotated[int, Field(ge=1, examples=[12])] = 200
    """The validation split has this many images."""

    size: Annotated[int, Field(ge=32, examples=[160])] = 160
    """Each image is this many pixels wide and high."""


class OpenImages(Declaration):
    """The files of a data set in Open Images' format beside its splits, relative to its root."""

    labels: Annotated[str, Field(examples=["annotations/cls-label-description.csv"])]
    """This CSV file gives the label, the name and the number of each class."""

    hierarchy: Annotated[str, Field(examples=["annotations/class_label_tree.npy"])]
    """This numpy file says, as a matrix, which class is a kind of which other."""

    verified: Annotated[str, Field(examples=["annotations/validation-image-labels.csv"])]
    """This CSV file says which classes an annotator looked for in each validation image."""


def _need_no_val(schema: dict[str, Any]) -> None:
    """Have the JSON schema ask for ``val`` only where there are no folds."""
    schema["required"].remove("val")
    schema["anyOf"] = [{"required": ["val"]}, {"required": ["folds"]}]


class Dataset(Declaration):
    """A data set, in COCO's format unless it says otherwise."""

    model_config = ConfigDict(json_schema_extra=_need_no_val)

    id: Annotated[Identifier, Field(examples=["aquarium"])]
    """Scales, runs and commands refer to the data set by this name, which is also the name of a
    file in ``experiments/datasets/``."""

    title: Annotated[str, Field(examples=["Aquarium, seven classes of sea animals"])]
    """The report calls the data set this."""

    licence: Annotated[str, Field(examples=["CC BY 4.0"])]
    """Annotations and images are under this licence, which the report repeats."""

    root: Annotated[str, Field(examples=["data/aquarium"])]
    """All files of the data set lie in this folder; the path is absolute or relative to the
    folder that the workflow runs in."""

    same_as: Annotated[Identifier | None, Field(examples=["coco2017"])] = None
    """If given, the data set has the images and annotations of this declared one under other
    names, as another release or copy of it has. Numbers on it then count as numbers on that data
    set, so that they may be compared with the paper's."""

    train: Annotated[
        Split, Field(examples=[{"annotations": "instances_train.json", "images": "train/"}])
    ]
    """Models are trained on this split."""

    val: Annotated[
        Split, Field(examples=[{"annotations": "instances_valid.json", "images": "valid/"}])
    ]
    """Models are evaluated on this split. With ``folds`` it is left out."""

    folds: Annotated[
        int | None, Field(ge=2, examples=[5], exclude_if=lambda folds: folds is None)
    ] = None
    """If given, there is no validation split, and the images of ``train`` are divided into so many
    folds. Seed k trains on all folds but number k mod n and is tested on that one, so that as many
    seeds as folds test each image once."""

    test: Annotated[
        Split | None,
        Field(examples=[{"annotations": "annotations/test-dev2017.json", "images": "test2017/"}]),
    ] = None
    """Detections on this split can be packed for an evaluation server, which alone has its
    annotations."""

    classes: Annotated[list[str], Field(min_length=1, examples=[["fish", "jellyfish", "penguin"]])]
    """The classes have these names, in the order in which networks number them."""

    published: Annotated[bool, Field(examples=[True])] = False
    """If ``true``, the images are those of a published archive, which nobody changes. They are
    then no part of what tells one content of the data set from another."""

    max_detections: Annotated[
        int, Field(ge=1, examples=[300], exclude_if=lambda most: most == MAX_DETECTIONS)
    ] = MAX_DETECTIONS
    """A detector reports at most this many objects of an image, and evaluation counts no more of
    them in an image and class. COCO's protocol has 100; a data set with more objects in an image
    needs more, or no detector can find them all. Metrics keep their names."""

    embedded: Annotated[
        Embedded | None,
        Field(examples=[{"seed": 0, "train_images": 24, "val_images": 12, "size": 160}]),
    ] = None
    """If given, the workflow makes the data set with this content."""

    openimages: Annotated[
        OpenImages | None,
        Field(examples=[{"labels": "labels.csv", "hierarchy": "tree.npy", "verified": "seen.csv"}]),
    ] = None
    """If given, the data set is in the format of the Open Images Challenge and has these files
    beside its splits."""

    weights: Annotated[
        dict[Identifier, Annotated[str, Field(min_length=1)]],
        Field(examples=[{"mobilenetv2": "weights/mobilenet_v2_1.0.pth"}]),
    ] = {}
    """Backbones start from these pretrained weights instead of their own. Each key is the name of a
    declared backbone. Its value is a file, relative to the folder that the workflow runs in, or a
    name that mmengine knows, such as ``open-mmlab://mmdet/mobilenet_v2``. Nothing changes for runs
    with other backbones, nor for runs that start at random."""

    fetched_by: Annotated[
        Literal["coco2017", "coco2017_val", "coco2017_testdev", "coco2014_minival"] | None,
        Field(examples=["coco2017"]),
    ] = None
    """The target of the workflow with this name fetches the data set into ``data/coco``. Where
    files of the data set are missing, the message about them names it."""

    set: Annotated[Differences, Field(examples=[{"train_dataloader.batch_size": 2}])] = {}
    """These settings are needed on this data set; they are applied after those of the scale and
    before those of the run. They cannot change models, which differ from run to run."""

    @model_validator(mode="before")
    @classmethod
    def _tests_on_what_it_divides(cls, content: Any) -> Any:
        """With folds the whole is both splits, until a seed says which fold it is tested on."""
        if not isinstance(content, dict) or content.get("folds") is None:
            return content
        for key in ("embedded", "openimages"):
            if content.get(key) is not None:
                raise ValueError(f"key folds: a data set with the key {key} cannot have folds")
        if content.get("val", content.get("train")) != content.get("train"):
            raise ValueError(
                "key folds: leave the key val out: the folds are made of the images of train, and "
                "each is the validation split of a seed"
            )
        return {**content, "val": content["train"]} if "train" in content else content

    @model_validator(mode="after")
    def _leaves_models_alone(self) -> Self:
        inside = [path for path in self.set if path.split(".")[0] == "model"]
        if inside:
            raise ValueError(
                f"key set: {', '.join(map(repr, inside[:5]))} ({len(inside)} in all) would change "
                "the model, which a data set cannot do, since models differ from run to run. To "
                "start a backbone from weights of yours, use the key weights, which maps the "
                "backbone to a file, as in weights: {mobilenetv2: weights/mobilenet_v2_1.0.pth}. "
                "Other settings of models belong in the set of a scale or of a run"
            )
        return self

    @property
    def name(self) -> str:
        """What texts call the data set: its title up to the first comma, bracket or the like."""
        return re.split(r"\s*[,;:(]", self.title)[0] or self.title
