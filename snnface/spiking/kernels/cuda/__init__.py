"""Spiking layers on NVIDIA cards: Triton programs for all but the convolutions and matrix products, which are torch's.

Same functions and results as `reference`. How they are made to be fast on Ampere and Hopper:

* One program per sample, block of pooling windows and block of channels runs all steps with
  the membranes in registers; neighbouring threads read neighbouring channels of channels_last
  memory. A layer reads the convolution's output once and writes pooled spikes.
* The gradient reads that output twice more instead of keeping voltages: voltages at the start of every
  few steps go to memory, those in between are computed again and stay in registers.
* Batch statistics and the last step of their gradient are one pass each, the sums in float64.

What decides numbers: a product and a sum are never contracted into one rounding
(`enable_fp_fusion=False`, which LLVM and ptxas obey), float32 membranes whatever is stored, no
atomics. So neurons agree with the reference to the bit, and a run repeats itself. cuDNN's convolution
may use TF32 (`torch.backends.cudnn.allow_tf32`), as everywhere in torch.

The event-driven first layer is the CPU's alone: on a card the dense convolution of
mostly empty pictures costs little beside reading and writing the currents.
"""

import importlib
import importlib.util

import torch

__all__ = ["conv_layer", "neuron_layer", "recurrent_layer", "unavailable"]


def unavailable() -> str | None:
    """Why the programs cannot run here; None if they can."""
    if not torch.cuda.is_available():
        return "torch sees no CUDA device"
    if torch.version.hip is not None:
        return "the programs are written for NVIDIA cards, and this torch is built for AMD ones"
    if importlib.util.find_spec("triton") is None:
        return "Triton is not installed (`pip install triton`, in the version that this torch asks for)"
    if torch.cuda.get_device_capability() < (8, 0):
        return "the card is older than compute capability 8.0 (Ampere)"
    return None


_HOMES = {"conv_layer": "convolution", "neuron_layer": "neurons", "recurrent_layer": "recurrent"}


def __getattr__(name: str) -> object:
    """A layer, imported when asked for: `unavailable` must answer without Triton."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    layer = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = layer
    return layer
