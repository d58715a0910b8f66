"""The kernels for CUDA: their cases in Triton's interpreter, and compiled for a GPU."""

import os
import re
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch

from tsd.models.pooling import kernels_are_for

triton = pytest.importorskip("triton", reason="Triton is for Linux on x86 alone")


def test_the_cases_pass():
    """On the GPU if there is one, else in the interpreter."""
    interpreter = {} if torch.cuda.is_available() else {"TRITON_INTERPRET": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    run = subprocess.run(
        [*command, "tests/models/pooling_kernel_cases.py"],
        env={**os.environ, **interpreter},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-8000:]
    passed = int(re.search(r"(\d+) passed", run.stdout)[1])
    assert passed >= 20
    assert "skipped" not in run.stdout


def test_which_maps_the_kernels_are_for():
    def feature(**changes):
        return SimpleNamespace(**{"is_cuda": True, "dtype": torch.bfloat16, **changes})

    assert kernels_are_for(feature())
    assert not kernels_are_for(feature(is_cuda=False))
    assert not kernels_are_for(feature(dtype=torch.float64))
    torch.use_deterministic_algorithms(True)
    try:
        assert not kernels_are_for(feature())
    finally:
        torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize("dtype", ["fp32", "fp16", "bf16"])
@pytest.mark.parametrize("name", ["_forward", "_backward"])
def test_they_compile_for_a_gpu(name, dtype):
    """For an H100, with loads and additions of four values at a time."""
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from tsd.models import pooling_kernels

    kernel = getattr(pooling_kernels, name)
    maps = (f"*{dtype}",) * 4
    types = {
        **dict.fromkeys(("rois", "offsets", "d_offsets"), "*fp32"),
        **{"features": maps, "d_features": ("*fp32",) * 4},
        **dict.fromkeys(("pooled", "gradient"), f"*{dtype}"),
        **{"heights": ("i32",) * 4, "widths": ("i32",) * 4, "strides": ("fp32",) * 4},
        "finest_scale": "fp32",
    }
    values = dict(MOVED=True, KH=7, KW=7, S=2, C=256, BLOCK=256, TO_OFFSETS=True, TO_FEATURES=True)
    order = kernel.arg_names
    aligned = [["tt.divisibility", 16]]
    places = [(order.index(key),) for key in ("pooled", "gradient") if key in order]
    places += [
        (order.index(key), level)
        for key in ("features", "d_features")
        if key in order
        for level in range(4)
    ]
    source = ASTSource(
        kernel,
        signature={key: types.get(key, "constexpr") for key in order},
        constexprs={(order.index(k),): v for k, v in values.items() if k in order},
        attrs=dict.fromkeys(places, aligned),
    )
    made = triton.compile(source, target=GPUTarget("cuda", 90, 32), options={"num_warps": 2})
    assert made.asm["cubin"]
    text = made.asm["ptx"]
    assert text.count("ld.global.v4" if dtype == "fp32" else "ld.global.v2") >= 16
    if name == "_backward":
        assert text.count(".v4.f32") >= 16
