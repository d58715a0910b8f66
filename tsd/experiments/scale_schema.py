"""What a YAML file says of a scale: how big a run is."""

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from tsd.experiments.base_schema import ForBases
from tsd.experiments.declaration import Declaration, Differences, Identifier, Seed
from tsd.experiments.reading import DeclarationError


class Resources(Declaration):
    """What one training or inference job asks for."""

    threads: Annotated[int, Field(ge=1, examples=[4])] = 1
    """Each process of a job uses this many CPU threads; a training has one process for each GPU."""

    mem_mb: Annotated[int, Field(ge=1, examples=[16000])] = 4000
    """Each process of a job uses at most this many MB of memory."""

    runtime: Annotated[int, Field(ge=1, examples=[1440])] = 60
    """A job on a cluster takes at most this many minutes; each further attempt may take that
    much longer."""

    gpus: Annotated[int, Field(ge=0, examples=[16])] = 0
    """A training on a cluster uses this many GPUs; without a cluster it uses at most one."""

    per_gpu: Annotated[int, Field(ge=1, le=48, examples=[12])] = 1
    """At most this many trainings share a GPU, on a machine of one's own and, packed into one job,
    on a cluster. NVIDIA's MPS takes at most 48."""

    gpu_mem_mb: Annotated[int, Field(ge=1, examples=[2000])] = 16000
    """Each training needs at most this many MB of a GPU's memory; where a GPU has less than
    ``per_gpu`` times that, fewer trainings share it."""

    @model_validator(mode="after")
    def _shares_what_is_one_gpu(self) -> Self:
        if self.per_gpu > 1 and self.gpus > 1:
            raise ValueError(
                f"key per_gpu: trainings on {self.gpus} GPUs each do not share any; give gpus: 1"
            )
        return self


class Computation(Declaration):
    """How the numbers of a training are computed.

    What is not the default here changes results, if only in their last digits, and so trains runs
    anew. Trained networks are tested as ever.
    """

    precision: Annotated[Literal["float32", "bfloat16"], Field(examples=["bfloat16"])] = "float32"
    """Forward passes compute in this type; with ``bfloat16`` what PyTorch's autocast finds unsafe
    in it stays in float32, and so do weights, gradients and the optimizer. A GPU needs NVIDIA's
    Ampere or later for it; on CPUs it depends on the processor whether it saves time."""

    channels_last: Annotated[bool, Field(examples=[True])] = False
    """If ``true``, the channels of a place lie beside each other in memory, the order that GPUs
    convolve halves in and that RoI pooling reads."""

    compile: Annotated[bool, Field(examples=[True])] = False
    """If ``true``, ``torch.compile`` compiles backbone and neck when a training starts, which takes
    minutes and pays in long trainings only. A CPU needs a C++ compiler for it."""

    @property
    def settings(self) -> dict[str, bool | str]:
        """What is not the default, by its key."""
        usual = Computation()
        told = {key: getattr(self, key) for key in Computation.model_fields}
        return {key: value for key, value in told.items() if value != getattr(usual, key)}


class SettingsForBases(ForBases):
    """What a scale changes in runs by the name of their base."""

    backbone: Annotated[Identifier | None, Field(examples=["mobilenetv2"])] = None
    """If given, the settings of this entry put this declared backbone in the place of the base's
    own. A data set's ``weights`` for that backbone are then for these runs too."""

    set: Annotated[Differences, Field(examples=[{"model.roi_head.bbox_head.in_channels": 48}])]
    """Runs with such a base differ from it in these settings; ``{}`` says that they need none."""


class Scale(Declaration):
    """How big a run is: data set, resolution, schedule, resources."""

    id: Annotated[Identifier, Field(examples=["mini"])]
    """Commands refer to the scale by this name, which is also the name of its file and of the
    folder of its results."""

    title: Annotated[str, Field(examples=["minutes a run on two CPU cores"])]
    """These words say how big the scale is; the report shows them."""

    note: Annotated[
        str,
        Field(
            examples=["Its AP is not the paper's; only the direction of a gain may be compared."]
        ),
    ]
    """This text says what a reader of the scale's numbers has to know; the report shows it at
    its top."""

    dataset: Annotated[Identifier, Field(examples=["coco2017"])]
    """Runs train on this data set unless they or the user name another."""

    protocol: Annotated[Identifier | None, Field(examples=["released"])] = None
    """Runs follow this protocol unless they or the user name another; ``null`` means that they are
    trained as their bases say. What the scale itself sets comes after the protocol and wins."""

    comparable: Annotated[bool, Field(examples=[True])] = False
    """If ``true``, numbers on the scale's own data set may be compared with the paper's. At other
    scales only the direction of a gain may be. A scale that extends this one has to say it anew."""

    seeds: Annotated[list[Seed], Field(min_length=1, examples=[[0, 1, 2]])] = [0]
    """Each run is trained once with each of these seeds."""

    looks: Annotated[
        list[Annotated[int, Field(ge=2)]], Field(min_length=1, examples=[[2, 3, 5]])
    ] = [2, 3, 5]
    """With ``seeds=auto`` the claims are judged when runs have this many seeds, and those runs on
    which an undecided claim rests are trained with the seeds of the next number. The numbers grow;
    the first is two at least, because one seed decides nothing."""

    budget_hours: Annotated[float | None, Field(gt=0, examples=[40])] = None
    """With ``seeds=auto`` the trainings after the first look may take this many hours together, of
    a CPU core, or of a GPU where they run on one. The first look is taken whatever it costs.
    ``null`` means that only ``looks`` sets an end."""

    resources: Annotated[
        Resources, Field(examples=[{"threads": 4, "mem_mb": 16000, "runtime": 1440, "gpus": 16}])
    ] = Resources()
    """Each job asks for these resources."""

    computation: Annotated[
        Computation, Field(examples=[{"precision": "bfloat16", "channels_last": True}])
    ] = Computation()
    """Trainings compute in this way."""

    extends: Annotated[Identifier | None, Field(examples=["mini"])] = None
    """Keys that are not given here come from this other scale; ``set``, and entries of ``bases``
    for the same bases, are combined setting by setting, and what is given here wins."""

    length: Annotated[float, Field(gt=0, allow_inf_nan=False, examples=[3])] = 1
    """Trainings are so many times as long as those of the scale that this one ``extends``, and all
    parts of their schedule but the warm-up with them. A scale that is to be compared with the other
    over the length of trainings says nothing else that changes them."""

    stands_in: Annotated[bool, Field(examples=[True])] = False
    """If ``true``, the scale's data set also replaces those that runs name. Such runs only try the
    wiring: they fill no row of a table and decide no claim."""

    only: Annotated[
        list[Identifier] | None, Field(min_length=1, examples=[["table2", "figure6", "r50"]])
    ] = None
    """Only these tables, figures and runs are made unless the user asks for others; ``null``
    means all of them."""

    milestones: Annotated[
        list[Annotated[float, Field(gt=0, lt=1)]], Field(examples=[[0.25, 0.5, 0.75]])
    ] = []
    """A training keeps its weights after these parts of its iterations, so that the report can show
    how AP grows over the training. They change nothing in the training itself."""

    pretrained: Annotated[bool, Field(examples=[False])] = True
    """If ``false``, no pretrained weights are loaded, and every network starts at random."""

    set: Annotated[Differences, Field(examples=[{"auto_scale_lr.enable": True}])] = {}
    """Every run differs from its base in these settings."""

    bases: Annotated[
        list[SettingsForBases],
        Field(
            examples=[
                [{"match": "*-rcnn_r50_fpn", "set": {"model.roi_head.bbox_head.in_channels": 48}}]
            ]
        ),
    ] = []
    """Runs differ in further settings by the name of their base: every entry that applies does
    so, in this order. Where there are entries, a run that none of them applies to is refused."""

    backbones: Annotated[
        dict[Identifier, Differences] | None,
        Field(examples=[{"r101": {"model.backbone.depth": 18}}]),
    ] = None
    """Smaller networks stand for the declared backbones; each key is a backbone, and its value
    holds the settings that make it smaller. Runs whose backbone is missing here are left out.
    ``null`` means all backbones at their full size."""

    @field_validator("looks")
    @classmethod
    def _grow(cls, looks: list[int]) -> list[int]:
        for earlier, later in pairwise(looks):
            if later <= earlier:
                raise ValueError(
                    f"the numbers of seeds have to grow, and {later} follows {earlier}"
                )
        return looks

    @model_validator(mode="after")
    def _describes_no_bases_twice(self) -> Self:
        seen = set()
        for entry in self.bases:
            if entry.bases in seen:
                raise ValueError(
                    f"key bases: there are two entries with match {entry.match!r} and but_not "
                    f"{entry.but_not}; write their settings into one"
                )
            seen.add(entry.bases)
        return self

    @model_validator(mode="after")
    def _is_longer_than_another(self) -> Self:
        if self.length != 1 and self.extends is None:
            raise ValueError(
                f"key length: {self.length:g} times as long as what? It needs `extends` with the "
                "scale whose trainings are meant"
            )
        return self

    def has_settings_for(self, base: str) -> bool:
        """Whether runs with this base can be made: any, unless the scale says what to change."""
        return not self.bases or any(entry.is_for(base) for entry in self.bases)

    def backbone_for(self, base: str) -> str | None:
        """Id of the declared backbone that stands for the own one of a base; None if none does."""
        named = [entry.backbone for entry in self.bases if entry.is_for(base)]
        return next((name for name in reversed(named) if name is not None), None)


def combined_bases(
    below: list[SettingsForBases], own: list[SettingsForBases]
) -> list[SettingsForBases]:
    """The settings by base of a scale and of the one that it extends, those of the latter first.

    Entries for the same bases become one, in which what the scale itself says comes last.
    """
    entries = {entry.bases: entry for entry in below}
    for entry in own:
        extended = entries.get(entry.bases)
        if extended is not None:
            said = {key: getattr(entry, key) for key in entry.model_fields_set}
            entry = extended.model_copy(update={**said, "set": {**extended.set, **entry.set}})
        entries[entry.bases] = entry
    return list(entries.values())


def combined_length(below: Scale, own: Scale) -> float:
    """How many times as long trainings are as those that the settings describe.

    Args:
        below: A scale, combined with those that it extends.
        own: The one that extends it.

    Raises:
        DeclarationError: The scale sets a schedule of its own, which would be multiplied too.
    """
    length = below.length * own.length
    scheduled = [path for path in own.set if path.startswith(("train_cfg", "param_scheduler"))]
    if length != 1 and scheduled:
        raise DeclarationError(
            f"{own.origin}: key set: {scheduled[0]!r} sets a schedule, and the key length, here or "
            f"in a scale that this one extends, makes trainings {length:g} times as long as the "
            "schedule says; say the one or the other"
        )
    return length
