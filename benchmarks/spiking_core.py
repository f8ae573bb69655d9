"""The paper's network against the same network on snntorch neurons: one training step, one inference.

    python benchmarks/spiking_core.py [--steps 75] [--batch 8] [--rounds 5]

Rounds are interleaved and medians compared, as these machines are noisy. Memory is the
growth of the process's peak in a fresh process for each side and pass.
"""

import argparse
import multiprocessing
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import snntorch
import torch
from torch import Tensor, nn

from snnface.events import Resolution
from snnface.spiking import ConvSnn, ConvSnnConfig, NeuronConfig

SIZE = Resolution(height=64, width=64)


class SnntorchEncoder(nn.Module):
    """The same layers, with snntorch's fixed-leak neurons stepped in a Python loop, as its users write it."""

    def __init__(self) -> None:
        super().__init__()
        self.convs = nn.ModuleList([nn.Conv2d(i, 32, 3, padding=1, bias=False) for i in (2, 32)])
        self.norms = nn.ModuleList([nn.BatchNorm2d(32) for _ in range(2)])
        self.linears = nn.ModuleList([nn.Linear(8192, 512, bias=False), nn.Linear(512, 210, bias=False)])
        surrogate = snntorch.surrogate.atan(alpha=2.0)
        self.cells = nn.ModuleList(
            [
                snntorch.Leaky(beta=0.5, reset_mechanism="zero", reset_delay=False, spike_grad=surrogate)
                for _ in range(4)
            ]
        )

    def forward(self, inputs: Tensor) -> Tensor:
        spikes = inputs
        for conv, norm, cell in zip(self.convs, self.norms, self.cells, strict=False):
            currents = norm(conv(spikes.flatten(0, 1))).unflatten(0, inputs.shape[:2])
            spikes = nn.functional.max_pool2d(self._run(cell, currents).flatten(0, 1), 2)
            spikes = spikes.unflatten(0, inputs.shape[:2])
        spikes = spikes.flatten(2)
        for linear, cell in zip(self.linears, list(self.cells)[2:], strict=True):
            spikes = self._run(cell, linear(nn.functional.dropout(spikes, 0.2, self.training)))
        return spikes

    @staticmethod
    def _run(cell: nn.Module, currents: Tensor) -> Tensor:
        membrane, out = cell.init_leaky(), []
        for current in currents:
            spikes, membrane = cell(current, membrane)
            out.append(spikes)
        return torch.stack(out)


def ours() -> nn.Module:
    """The project's network, with the leak fixed as snntorch's is."""
    return ConvSnn(ConvSnnConfig(neuron=NeuronConfig(kind="lif", tau=2.0)), in_channels=2, resolution=SIZE)


SIDES: dict[str, Callable[[], nn.Module]] = {"snnface": ours, "snntorch": SnntorchEncoder}


def work(model: nn.Module, inputs: Tensor, *, training: bool) -> float:
    """Seconds of one pass."""
    model.train(training)
    start = time.perf_counter()
    if training:
        model.zero_grad()
        model(inputs).mean(0).square().mean().backward()
    else:
        with torch.inference_mode():
            model(inputs)
    return time.perf_counter() - start


def peak_growth_gib(side: str, inputs: Tensor, training: bool) -> float:
    """Growth of the peak memory by one pass; called in a fresh process."""
    model = SIDES[side]()
    before = peak_kib()
    work(model, inputs, training=training)
    return (peak_kib() - before) / 2**20


def peak_kib() -> int:
    """High-water mark of this process's memory; `ru_maxrss` would include the parent's."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=75)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    inputs = (torch.rand(options.steps, options.batch, 2, SIZE.height, SIZE.width) < 0.05).float()
    print(f"2x64x64, T {options.steps}, batch {options.batch}, {torch.get_num_threads()} threads")
    for training, name in ((True, "training step"), (False, "inference")):
        models = {side: make() for side, make in SIDES.items()}
        seconds: dict[str, list[float]] = {side: [] for side in SIDES}
        for _ in range(options.rounds + 1):
            for side, model in models.items():
                seconds[side].append(work(model, inputs, training=training))
        medians = {side: statistics.median(times[1:]) for side, times in seconds.items()}
        del models
        with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
            peaks = {side: pool.apply(peak_growth_gib, (side, inputs, training)) for side in SIDES}
        for side in SIDES:
            print(f"{name:14} {side:9} {1000 * medians[side]:7.0f} ms   {peaks[side]:5.2f} GiB")
        print(f"{name:14} ratio     {medians['snntorch'] / medians['snnface']:7.2f} x")


if __name__ == "__main__":
    main()
