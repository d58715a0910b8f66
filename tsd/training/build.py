"""From the compiled config of a job to what is run: the runtime config and the model."""

from pathlib import Path

import torch
from mmdet.models.detectors import BaseDetector
from mmdet.models.test_time_augs import DetTTAModel
from mmdet.registry import MODELS
from mmdet.utils import register_all_modules
from mmengine.config import Config, ConfigDict
from mmengine.model import BaseModel
from torch import distributed, nn

import tsd.models
import tsd.training.computation
import tsd.training.loss_log_hook
import tsd.training.openimages  # noqa: F401 registers its data set
from tsd.experiments.compile import dictionaries
from tsd.experiments.job import Job
from tsd.experiments.label_order import require_label_order
from tsd.results.records import TrainRecord
from tsd.training.checkpoints import load_as_data
from tsd.training.coco_labels import label_by_name
from tsd.training.image_loading import load_in_frame
from tsd.training.lean_parts import use_lean_parts
from tsd.training.mask_loading import load_usable_masks

META_KEYS = ("img_id", "img_path", "ori_shape", "img_shape", "scale_factor")


def runtime_config(job: Job) -> Config:
    """The compiled config, completed by what depends on where and how often the job runs.

    That is the seed, the folders, and what several processes or a machine without GPUs need.
    """
    register_all_modules()
    config = Config(job.config.to_dict(), format_python_code=False)  # yapf takes seconds
    config.work_dir = str(job.folder.work)
    config.randomness = {"seed": job.seed}
    by_epoch = config.train_cfg.type == "EpochBasedTrainLoop"
    config.log_processor.by_epoch = by_epoch
    config.default_hooks.runtime_info = {"type": "LossLogHook"}
    config.default_hooks.checkpoint = None  # tsd.training.checkpoint_hook replaces it
    if distributed.is_initialized():
        # These are the settings that mmengine uses by default. They are set here, because on a CPU
        # torch forbids device_ids, which mmengine would set.
        config.model_wrapper_cfg = {
            "type": "MMDistributedDataParallel",
            "broadcast_buffers": False,
            "find_unused_parameters": config.get("find_unused_parameters", False),
        }
        if not torch.cuda.is_available():
            config.model_wrapper_cfg.device_ids = None
    if not torch.cuda.is_available():
        for part in dictionaries(config.model):
            if part.get("type") == "SyncBN":
                part["type"] = "BN"
    use_lean_parts(config.model)
    label_by_name(config)
    load_usable_masks(config)
    load_in_frame(config)
    return config


def build_model(job: Job) -> BaseDetector:
    """Build the model of a job. Its weights are not initialised yet."""
    return MODELS.build(runtime_config(job).model)


def trained_model(job: Job, weights: Path | None = None) -> BaseDetector:
    """Load the trained model of a job for inference, on the GPU if there is one.

    Args:
        job: The job, whose training has ended.
        weights: Weights that the same training has kept on its way; by default those of its end.

    Raises:
        LabelOrderError: An earlier version of this project made the weights, whose labels are in
            another order than the declared classes.
    """
    record = TrainRecord.read(job.folder.train)
    require_label_order(
        job.dataset,
        None if record is None else record.classes,
        splits=["train"],
        what=str(weights or job.folder.weights),
        remedy=f"delete {job.folder.path} to have it trained again",
    )
    model = build_model(job)
    model.load_state_dict(load_as_data(str(weights or job.folder.weights), "cpu")["state_dict"])
    return model.to("cuda" if torch.cuda.is_available() else "cpu").eval()


def augment_test(model: BaseDetector, config: Config, augmentation: Config | None) -> BaseModel:
    """Wrap a model for test-time augmentation, if there is to be any.

    Args:
        model: The trained model.
        config: Its runtime config, whose test pipeline is changed in place.
        augmentation: None for no augmentation. Otherwise the model sees each image at all
            ``scales``, and mirrored as well if ``flip`` is set. The NMS of the model's test
            settings merges the detections.

    Returns:
        The model that is to be tested.
    """
    if augmentation is None:
        return model
    load, *_, pack = config.test_dataloader.dataset.pipeline
    keys = pack.get("meta_keys", META_KEYS)
    pack = {**pack, "meta_keys": tuple(dict.fromkeys([*keys, "flip", "flip_direction"]))}
    scales = [{"type": "Resize", "scale": s, "keep_ratio": True} for s in augmentation.scales]
    flips = [{"type": "RandomFlip", "prob": float(f)} for f in range(augmentation.flip + 1)]
    config.test_dataloader.dataset.pipeline = [
        load,
        {"type": "TestTimeAug", "transforms": [scales, flips, [pack]]},
    ]
    tested = config.model.test_cfg.rcnn
    merging = ConfigDict(nms=tested.nms, max_per_img=tested.max_per_img)
    return DetTTAModel(module=model, tta_cfg=merging)


def inference_parameters(model: nn.Module) -> int:
    """Count the parameters of the network that is used at inference.

    A module lists in its attribute ``training_only`` the submodules that are not used then.
    """
    left_out = {
        id(parameter)
        for module in model.modules()
        for name in getattr(module, "training_only", ())
        if getattr(module, name) is not None
        for parameter in getattr(module, name).parameters()
    }
    return sum(p.numel() for p in model.parameters() if id(p) not in left_out)
