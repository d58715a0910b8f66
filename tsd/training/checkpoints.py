"""Reading checkpoints as data: nothing in a file is ever executed."""

from pathlib import Path
from typing import Any

import torch
from mmengine.runner.checkpoint import CheckpointLoader, get_torch_safe_globals


@CheckpointLoader.register_scheme(prefixes="", force=True)
def load_as_data(filename: str, map_location: Any = None) -> dict:
    """A local checkpoint, read with ``weights_only=True``.

    Takes the place of mmengine's own reader of local files, which falls back to full unpickling.
    Besides tensors only mmengine's training history and numpy's scalars are admitted.

    Raises:
        FileNotFoundError: If there is no such file.
        pickle.UnpicklingError: If the file holds anything else.
    """
    if not Path(filename).expanduser().is_file():
        raise FileNotFoundError(f"no checkpoint at {filename}")
    with torch.serialization.safe_globals(get_torch_safe_globals()):
        return torch.load(Path(filename).expanduser(), map_location=map_location, weights_only=True)
