"""The kinds of YAML files in ``experiments/``: where they lie, what they hold, an example of each.

The examples tell one story, an ablation of one's own, and refer to each other by name.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args

from tsd.experiments.claims_schema import Claim
from tsd.experiments.costs import Costs
from tsd.experiments.dataset_schema import Dataset
from tsd.experiments.declaration import Declaration
from tsd.experiments.inconsistencies import Inconsistency
from tsd.experiments.protocol_schema import Decision, Protocol
from tsd.experiments.scale_schema import Scale
from tsd.experiments.schema import Backbone, Figure, Run, Source, Table


@dataclass(frozen=True)
class FileKind:
    """A kind of YAML file.

    Args:
        name: Name of its JSON schema.
        title: Its heading in the documentation.
        files: Path of the file, or a pattern of the files' paths, from the repository's root.
        content: What the file holds: a declaration, or ``list`` of one.
        about: What the file is and how it is named, in whole sentences of Markdown.
        example: A short file, complete.
    """

    name: str
    title: str
    files: str
    content: Any
    about: str
    example: str

    @property
    def models(self) -> list[type[Declaration]]:
        """The declarations that such a file holds, each before those that are nested in it."""
        return list(dict.fromkeys(_declarations_in(self.content)))


def _declarations_in(annotation: Any) -> Iterator[type[Declaration]]:
    """The declarations mentioned in an annotation such as ``list[Row] | None``, and in theirs."""
    if isinstance(annotation, type) and issubclass(annotation, Declaration):
        yield annotation
        for field in annotation.model_fields.values():
            yield from _declarations_in(field.annotation)
    for part in get_args(annotation):
        yield from _declarations_in(part)


EXPERIMENT_FILES = (
    FileKind(
        name="runs",
        title="Runs",
        files="experiments/runs/*.yaml",
        content=list[Run],
        about="A run is a model that is trained. Each file is a list of runs that belong together; "
        "you choose its name. Tables, figures and claims refer to a run by its `id`, so that a "
        "model which stands in three tables is declared and trained once.",
        example="""\
- id: tsd_gamma_02
  base: tsd_faster-rcnn_r50_fpn
  why: Does a wider reach of the derived proposals help?
  set: {model.roi_head.derived_proposals.gamma: 0.2}

- id: tsd_r34
  base: tsd_faster-rcnn_r50_fpn
  backbone: r34
  why: Does TSD work on a smaller backbone?
  seeds: [0, 1, 2]
""",
    ),
    FileKind(
        name="backbone",
        title="Backbones",
        files="experiments/backbones/*.yaml",
        content=Backbone,
        about="A backbone is the network that computes features of an image, here as differences "
        "from the ResNet-50 of the bases. Each file is one backbone and is named after its `id`.",
        example="""\
id: r34
title: ResNet-34
set:
  model.backbone.depth: 34
  model.backbone.init_cfg.checkpoint: torchvision://resnet34
  model.neck.in_channels: [64, 128, 256, 512]
""",
    ),
    FileKind(
        name="table",
        title="Tables",
        files="experiments/tables/*.yaml",
        content=Table,
        about="A table sets measured values of runs beside published ones. Each file is one table "
        "and is named after its `id`, by which you ask for it: `make reproduce ONLY=reach`.",
        example="""\
id: reach
title: Reach of the derived proposals
source: Not in the paper, which leaves γ open (Eq. 3, 5)
attributes: [γ]
metrics: [AP, AP75]
rows:
  - label: ResNet-50
    run: r50
    published: {AP: 36.1, AP75: 38.8}
  - label: TSD
    run: tsd_pc
    baseline: r50
    attributes: {γ: "0.1"}
    published: {AP: 41.0, AP75: 44.3}
  - label: TSD, wider reach
    run: tsd_gamma_02
    baseline: r50
    attributes: {γ: "0.2"}
""",
    ),
    FileKind(
        name="figure",
        title="Figures",
        files="experiments/figures/*.yaml",
        content=Figure,
        about="A figure draws what runs have measured, or what a trained network looks at. Each "
        "file is one figure and is named after its `id`, by which you ask for it.",
        example="""\
id: margins
title: AP over the margin of one term of the progressive constraint
source: A part of Figure 4, Section 3.2
kind: margins
series:
  - label: TSD w. cls
    points: {0.1: tsd_pc_cls_01, 0.2: tsd_pc_cls, 0.3: tsd_pc_cls_03}
  - {label: no constraint, run: tsd_joint}
""",
    ),
    FileKind(
        name="scale",
        title="Scales",
        files="experiments/scales/*.yaml",
        content=Scale,
        about="A scale says how big all runs are, from a few iterations on a laptop to the paper's "
        "protocol. Each file is one scale and is named after its `id`; a scale of your own may "
        "also lie elsewhere (`make reproduce SCALE=mini-long.yaml`).",
        example="""\
id: mini-long
title: mini, three times as long
note: As at mini, only the direction of a gain may be compared.
dataset: embedded
extends: mini
seeds: [0, 1, 2]
set: {train_cfg.max_iters: 3300, param_scheduler.1.end: 3300}
""",
    ),
    FileKind(
        name="protocol",
        title="Protocols",
        files="experiments/protocols/*.yaml",
        content=Protocol,
        about="A protocol says how runs are trained and tested where the paper is silent or others "
        "do otherwise, as differences from the bases. Each file is one protocol and is named after "
        "its `id`; a protocol of your own may also lie elsewhere (`make reproduce "
        "PROTOCOL=paper-l1.yaml`). What a scale sets comes after the protocol and wins, and what "
        "a run sets comes last. `docs/decisions.md` lists what each protocol does.",
        example="""\
id: paper-l1
title: as the paper says, with L1 for boxes
note: It tells how much of a gain is due to the box loss.
extends: paper
parts:
  box-loss:
    does: L1
    source: mmdet 3's default
    settings:
      - match: "*-rcnn_r50_fpn"
        but_not: ["*cascade-rcnn_r50_fpn"]
        set: {model.roi_head.bbox_head.loss_bbox: {type: L1Loss, loss_weight: 1.0}}
""",
    ),
    FileKind(
        name="decisions",
        title="Decisions",
        files="experiments/decisions.yaml",
        content=list[Decision],
        about="A decision is a question that the paper leaves open, or that the released code "
        "answers otherwise. Parts of protocols refer to it by its `id`. There is one file, a list "
        "of decisions.",
        example="""\
- id: box-loss
  question: Box loss of the heads
  paper: L_loc is not specified.
  code: smooth L1 with β = 1
  here: L1, as in mmdet 3
  why: It decides what the progressive constraint can add.
  setting: …bbox_head.loss_bbox
""",
    ),
    FileKind(
        name="sources",
        title="Sources",
        files="experiments/sources.yaml",
        content=list[Source],
        about="A source is somebody other than the paper who published numbers of the same "
        "methods. Rows of tables refer to it under `elsewhere`. There is one file, a list of "
        "sources.",
        example="""\
- id: simpledet
  title: simpledet
  where: tusen-ai/simpledet, pull request 354
  note: An independent port in another code base, with its 1x schedule.
""",
    ),
    FileKind(
        name="dataset",
        title="Data sets",
        files="experiments/datasets/*.yaml",
        content=Dataset,
        about="A data set says where images and annotations lie. Each file is one data set and is "
        "named after its `id`; a data set of your own may also lie elsewhere (`docs/own-data.md`).",
        example="""\
id: aquarium
title: Aquarium, seven classes of sea animals
licence: CC BY 4.0
root: data/aquarium
train: {annotations: instances_train.json, images: train/}
val: {annotations: instances_valid.json, images: valid/}
classes: [fish, jellyfish, penguin, puffin, shark, starfish, stingray]
""",
    ),
    FileKind(
        name="claims",
        title="Claims",
        files="experiments/claims.yaml",
        content=list[Claim],
        about="A claim is a sentence of the paper that numbers can confirm or refute, with the "
        "test that decides it; the report gives each a verdict. There is one file, a list of "
        "claims.",
        example="""\
- id: pc_at_75
  quote: PC significantly improves the AP.75 by 1.5
  source: Section 3.2, Table 3
  statement: PC adds 1.5 at AP.75 (within 0.5).
  test:
    kind: gain
    pairs: [{run: tsd_pc, baseline: tsd_joint}]
    metrics: [AP75]
    direction: up
    size: {about: 1.5, within: 0.5}
""",
    ),
    FileKind(
        name="inconsistencies",
        title="Inconsistencies",
        files="experiments/inconsistencies.yaml",
        content=list[Inconsistency],
        about="An inconsistency is a number of the paper with which others of its numbers do not "
        "agree; the report lists them. There is one file, a list of inconsistencies.",
        example="""\
- id: three_to_five_dcn
  what: The gain of one backbone is less than what is said of all of them.
  unit: AP
  here: {where: Section 3.3, words: 3%∼5%, printed: [3, 5]}
  there:
    - where: Table 5, ResNet-101-DCN
      table: table5
      run: r101_dcn_tsd
      baseline: r101_dcn
      metric: AP
  handling: The claim three_to_five asks it of every backbone, as the sentence does.
""",
    ),
    FileKind(
        name="costs",
        title="Costs",
        files="experiments/costs.yaml",
        content=Costs,
        about="The costs say how long trainings take on a GPU at full size; `python -m tsd cost "
        "--scale paper` adds them up. There is one such file.",
        example="""\
seconds_per_image:
  value: 0.1765
  kind: published
  source: maskrcnn-benchmark's model zoo, 0.3530 s an iteration of 16 images on 8 V100
images: {coco2017: 117266}
factors:
  - {base: faster-rcnn_r50_fpn, factor: 1.0, kind: published, source: the seconds above}
  - {backbone: "r34*", factor: 0.8, kind: assumed, source: fewer blocks than ResNet-50}
  - {base: "*tsd_*", factor: 1.1, kind: published, source: "the paper's Table 5, at inference"}
""",
    ),
)
