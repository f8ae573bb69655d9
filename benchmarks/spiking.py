"""The spiking core beside its peers, on the micro-expression paper's network: training step and inference.

    python benchmarks/spiking.py [--steps 10 30 75] [--rounds 5] [--events FILE] [--device cuda]

2 x 64 x 64 -> 2 x [conv 32, batch norm, PLIF, max-pool], 512, 210 (4.3 M parameters). A training step is
forward, loss and backward, without the optimiser, which is the same for all; dropout is on. All sides have the
same weights, under which every layer fires. They take turns in each round, as machines are noisy; medians are
compared. Peers run contiguous and channels-last and are shown at their faster (those that compute twice to save
memory, contiguous alone). Peak memory, at the largest T, is what one pass adds to a fresh process; on a GPU, to
what is allocated there.

In each table the last lines give ours as ratios: to the fastest peer, in float32 and, where ours is in
bfloat16, in bfloat16 too; to the leanest; and to the convolutions and full layers alone, the floor. Where ours
computes its convolutions twice to save memory, peers that do so count as well.
A peer that is not installed is named; `make test` and `make bench` install them.
"""

import argparse
import contextlib
import math
import multiprocessing
import os
import platform
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import torch
from peers.spiking_networks import LEAK, LayersAlone, PaperLayers, load_weights, networks
from torch import Tensor, nn

from snnface.events import Resolution, centre_square, crop, open_events
from snnface.representations import HistogramConfig, PictureStream, PolarityHistogram
from snnface.spiking import ConvSnn, ConvSnnConfig, NeuronConfig
from snnface.spiking.kernels import kernel_report

SIZE = Resolution(height=64, width=64)
OURS, OURS_RECOMPUTING, ALONE = "snnface", "snnface, recomputing", "conv + linear alone"
PEERS = ("spikingjelly", "snntorch", "norse")
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}
# What this project asks of itself at 75 steps on two cores: times the speed of the fastest peer, and of the
# leanest's peak memory in training the part.
SPEED_BARS = {("fp32", True): 3.0, ("bf16", True): 5.5, ("fp32", False): 6.0, ("bf16", False): 11.0}
MEMORY_BAR, INFERENCE_GIB_BAR = 0.3, 0.1
GPU_SPEED_BAR = 2.0
WARM_UP = {"cpu": 1, "cuda": 10}


@dataclass(frozen=True, kw_only=True)
class Side:
    """One contender; plain values, so that a fresh process can build it again."""

    name: str
    precision: str
    channels_last: bool = False

    @property
    def is_peer(self) -> bool:
        return self.name.startswith(PEERS)

    @property
    def recomputes(self) -> bool:
        return self.name.endswith("recomputing")


def main() -> None:
    options = parsed()
    # Whoever reads along through a pipe sees each line when it is written.
    sys.stdout.reconfigure(line_buffering=True)
    pictures = event_pictures(options.events) if options.events else None
    torch.backends.cudnn.benchmark = True
    print(machine(options.device))
    agreement(clips(pictures, min(options.steps), options.batch, options.density))
    for steps in options.steps:
        inputs = clips(pictures, steps, options.batch, options.density)
        share = 100 * float((inputs != 0).float().mean())
        print(f"\n== T {steps}, batch {options.batch}, {share:.1f} % of the input is not zero")
        for training in (True, False):
            sides = contenders(options.precision, training=training)
            seconds = medians(sides, inputs, options, training=training)
            best = faster_formats(seconds)
            gib = {}
            for side in best if steps == max(options.steps) else ():
                progress(f"T {steps}, {'training' if training else 'inference'}, peak memory of {side.name}")
                gib[side] = peak_growth_gib(side, inputs, options.device, training)
            show(best, gib, options, training=training)
    print(f"\nkernels: {kernel_report()}")


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, nargs="+", default=[10, 30, 75])
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--precision", nargs="+", choices=list(PRECISIONS), default=list(PRECISIONS))
    parser.add_argument("--density", type=float, default=0.05, help="share of the drawn counts that are not zero")
    parser.add_argument("--events", type=Path, help="a recording of an event camera, in place of drawn counts")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    return parser.parse_args()


def machine(device: str) -> str:
    """The processor, whether it computes in bfloat16, and the versions."""
    info = Path("/proc/cpuinfo")
    fields = dict(line.split(":", 1) for line in info.read_text().splitlines() if ":" in line) if info.is_file() else {}
    known = {key.strip(): value.strip() for key, value in fields.items()}
    flags = set(known.get("flags", known.get("Features", "")).split())
    has_bf16 = sorted(flags & {"avx512_bf16", "amx_bf16", "bf16"})
    lines = [
        f"{known.get('model name', platform.machine())}, {os.cpu_count()} cores, {torch.get_num_threads()} threads; "
        + (
            f"bfloat16 instructions: {', '.join(has_bf16)}"
            if has_bf16
            else "no bfloat16 instructions: its bars do not hold"
        ),
        f"torch {torch.__version__}; peers: {', '.join(networks()) or 'none'}",
    ]
    if device == "cuda":
        lines.append(f"{torch.cuda.get_device_name()}; bar: {GPU_SPEED_BAR} x the training speed of the fastest peer")
    missing = [name for name in PEERS if not any(peer.startswith(name) for peer in networks())]
    return "\n".join(lines + [f"not installed: {', '.join(missing)}"] * bool(missing))


# --- inputs


def event_pictures(path: Path) -> Tensor:
    """Pictures [N, 2, 64, 64] of 33 ms of the middle square of a recording; its first minute at most."""
    file = open_events(path)
    square = centre_square(file.resolution)
    sensor = Resolution(height=square.height, width=square.width)
    stream = PictureStream(PolarityHistogram(HistogramConfig(resolution=SIZE)), sensor)
    found = [stream.push(crop(events, square)) for events in islice(file.slices(33_000), 1800)]
    return torch.from_numpy(np.concatenate([*found, stream.finish()]))


def clips(pictures: Tensor | None, steps: int, batch: int, density: float) -> Tensor:
    """Inputs [T, B, 2, 64, 64]: consecutive clips of a recording, begun again where it is short; or drawn counts."""
    if pictures is not None:
        return pictures[torch.arange(batch * steps) % len(pictures)].unflatten(0, (batch, steps)).transpose(0, 1)
    generator = torch.Generator().manual_seed(0)
    shape = (steps, batch, 2, SIZE.height, SIZE.width)
    counts = torch.randint(1, 4, shape, generator=generator).float()
    return counts * (torch.rand(shape, generator=generator) < density)


# --- networks


def ours(neuron: NeuronConfig | None = None, *, checkpoint: bool = False) -> ConvSnn:
    """The project's network, with weights under which every layer fires."""
    config = ConvSnnConfig(neuron=neuron or NeuronConfig(tau=1 / LEAK), checkpoint=checkpoint)
    torch.manual_seed(0)
    model = ConvSnn(config, in_channels=2, resolution=SIZE)
    with torch.no_grad():
        # Batch norm sees this input's statistics, and the currents of the full layers have a deviation of one.
        for block in model.blocks:
            block.norm.momentum = 1.0
        spikes = model.blocks(clips(None, 10, 4, 0.05)).flatten(2)
        for layer in model.layers:
            layer.linear.weight /= layer.linear(spikes).std()
            spikes = layer.neuron(layer.linear(spikes))
        for block in model.blocks:
            block.norm.momentum = 0.1
    return model


def built(side: Side, inputs: Tensor, device: str) -> nn.Module:
    """The network of a side, on the device."""
    if side.name == ALONE:
        return LayersAlone(len(inputs) * inputs.shape[1], device=device, dtype=PRECISIONS[side.precision])
    model: nn.Module = ours(checkpoint=side.recomputes)
    if side.is_peer:
        peer = networks()[side.name]()
        load_weights(peer, model)
        model = peer.to(memory_format=torch.channels_last) if side.channels_last else peer
    return model.to(device)


def contenders(precisions: Sequence[str], *, training: bool) -> list[Side]:
    """Everyone who takes turns; recomputing is for training only."""
    sides = []
    for precision in precisions:
        names = [ALONE, OURS] + [OURS_RECOMPUTING] * training
        sides += [Side(name=name, precision=precision, channels_last=True) for name in names]
        peers = [name for name in networks() if training or not name.endswith("recomputing")]
        sides += [Side(name=name, precision=precision) for name in peers]
        plain = [name for name in peers if not name.endswith("recomputing")]
        sides += [Side(name=name, precision=precision, channels_last=True) for name in plain]
    return sides


# --- agreement


def agreement(inputs: Tensor) -> None:
    """Print how many spikes of each peer differ from ours: neurons on the same currents, and the whole network."""
    base = ours().eval()
    print("\nspikes that differ from ours, same weights, float32, evaluation:")
    for name, make in networks().items():
        if name.endswith("recomputing"):
            continue
        equality = name.startswith("spikingjelly")
        mine = ours(NeuronConfig(tau=1 / LEAK, fires_on_equality=equality)).eval()
        mine.load_state_dict(base.state_dict())
        peer = make().eval()
        load_weights(peer, base)
        with torch.no_grad():
            by_neurons, num_spikes = differing_by_layer(mine, peer, inputs)
            answers, theirs = mine(inputs), peer(inputs)
        whole = int((answers != theirs).sum())
        print(
            f"  {name:34} neurons alone: {by_neurons} of {num_spikes:,}; network: {whole} of {answers.numel():,} "
            f"({int(answers.sum()):,} of them fire); compared with {'>=' if equality else '>'}"
        )


def differing_by_layer(mine: ConvSnn, peer: PaperLayers, inputs: Tensor) -> tuple[int, int]:
    """Differing spikes of all four layers, each fed with the currents of our network; and how many there may be."""
    peer.forget()
    spikes, layers = inputs, []
    for block in mine.blocks:
        layers.append((block.neuron, block.norm(block.conv(spikes.flatten(0, 1))).unflatten(0, inputs.shape[:2])))
        spikes = block(spikes)
    spikes = spikes.flatten(2)
    for full in mine.layers:
        layers.append((full.neuron, full.linear(spikes)))
        spikes = full(spikes)
    differing = sum(
        int((neuron(currents) != peer.fire(layer, currents)).sum()) for layer, (neuron, currents) in enumerate(layers)
    )
    return differing, sum(currents.numel() for _, currents in layers)


# --- measuring


def once(model: nn.Module, inputs: Tensor, side: Side, device: str, *, training: bool) -> float:
    """Seconds of one pass."""
    model.train(training)
    model.zero_grad()
    is_bf16 = side.precision == "bf16"
    start = now(device)
    with torch.autocast(device, torch.bfloat16, enabled=is_bf16):
        if not training:
            with torch.inference_mode():
                model(inputs)
            return now(device) - start
        outputs = model(inputs)
    if isinstance(model, LayersAlone):
        model.step(outputs)
    else:
        outputs.float().mean(0).square().mean().backward()
    return now(device) - start


def now(device: str) -> float:
    """Wall-clock time, after everything that the device has been asked for."""
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def medians(sides: Sequence[Side], inputs: Tensor, options: argparse.Namespace, *, training: bool) -> dict[Side, float]:
    """Median seconds of each side, in turns; first rounds, in which kernels are compiled and tuned, are left out.

    A peer may fail in any way it likes; it is named and left out.
    """
    models = {side: built(side, inputs, options.device) for side in sides}
    there = inputs.to(options.device)
    times: dict[Side, list[float]] = {side: [] for side in sides}
    for number in range(-WARM_UP[options.device], options.rounds):
        turn = f"round {number + 1} of {options.rounds}" if number >= 0 else "warm-up"
        progress(f"T {len(inputs)}, {'training' if training else 'inference'}, {turn}")
        for side, model in tuple(models.items()):
            try:
                seconds = once(model, there, side, options.device, training=training)
                if isinstance(model, PaperLayers):
                    model.forget()  # a membrane that is kept holds the graph of the whole pass
            except Exception as error:
                if not side.is_peer:
                    raise
                print(f"  {side.precision} {side.name} failed: {type(error).__name__}: {str(error)[:120]}")
                del models[side], times[side]
                continue
            if number >= 0:
                times[side].append(seconds)
    return {side: statistics.median(found) for side, found in times.items()}


def progress(text: str) -> None:
    """What is being done, on standard error."""
    print(f"... {text}", file=sys.stderr, flush=True)


def faster_formats(seconds: dict[Side, float]) -> dict[Side, float]:
    """Of each network and precision the faster memory format alone."""
    best: dict[tuple[str, str], Side] = {}
    for side in sorted(seconds, key=seconds.__getitem__):
        best.setdefault((side.name, side.precision), side)
    return {side: seconds[side] for side in seconds if side in best.values()}


def peak_growth_gib(side: Side, inputs: Tensor, device: str, training: bool) -> float:
    """What one pass adds to the peak memory of a fresh process; NaN where a peer dies of it."""
    # Spawned: in a copy of a process that has computed, OpenMP waits for threads that are not there.
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    arguments = (side, inputs.numpy(), device, training, torch.get_num_threads())
    process = context.Process(target=send_growth, args=(sender, *arguments), daemon=True)
    process.start()
    sender.close()
    try:
        return receiver.recv()
    except EOFError:
        if not side.is_peer:
            raise
        print(f"  {side.precision} {side.name}: no memory figure, the process ended early")
        return math.nan
    finally:
        process.join()


def send_growth(sender: Connection, side: Side, inputs: np.ndarray, device: str, training: bool, threads: int) -> None:
    """`growth_here` to the parent, if it is still there."""
    growth = growth_here(side, inputs, device, training, threads)
    # A parent that has been stopped wants nothing any more.
    with contextlib.suppress(BrokenPipeError):
        sender.send(growth)


def growth_here(side: Side, inputs: np.ndarray, device: str, training: bool, threads: int) -> float:
    """The same, of this process."""
    torch.set_num_threads(threads)
    there = torch.from_numpy(inputs).to(device)
    model = built(side, there, device)
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        once(model, there, side, device, training=training)
        return (torch.cuda.max_memory_allocated() - before) / 2**30
    # Set the high-water mark back to what is held now; building the network may have taken more.
    Path("/proc/self/clear_refs").write_text("5")
    before = memory_kib("VmRSS")
    once(model, there, side, device, training=training)
    return (memory_kib("VmHWM") - before) / 2**20


def memory_kib(field: str) -> int:
    """A line of this process's status; `ru_maxrss` would include the parent's."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(next(line for line in status.splitlines() if line.startswith(field)).split()[1])


# --- results


def show(seconds: dict[Side, float], gib: dict[Side, float], options: argparse.Namespace, *, training: bool) -> None:
    """One table: everybody, then ours as ratios."""
    print(f"\n{'training step' if training else 'inference':38}{'ms':>8}{'samples/s':>11}{'peak GiB':>10}")
    for side, took in sorted(seconds.items(), key=lambda item: (item[0].precision, item[1])):
        layout = (", channels last" if side.channels_last else ", contiguous") if side.is_peer else ""
        peak = f"{gib[side]:10.3f}" if side in gib else ""
        print(f"  {side.precision} {side.name + layout:45}{1000 * took:8.1f}{options.batch / took:11.1f}{peak}")
    for side in seconds:
        if side.name in (OURS, OURS_RECOMPUTING) and any(rival.is_peer for rival in seconds):
            print(f"  {side.precision} {side.name}: {comparison(side, seconds, gib, options, training=training)}")


def comparison(
    side: Side, seconds: dict[Side, float], gib: dict[Side, float], options: argparse.Namespace, *, training: bool
) -> str:
    """How many times the speed of the fastest peer, which part of the memory of the leanest, how far from the floor."""
    rivals = [rival for rival in seconds if rival.is_peer and (side.recomputes or not rival.recomputes)]
    # Who wants float32 has no use for a peer in bfloat16.
    precisions = [name for name in options.precision if name in ("fp32", side.precision)]
    fastest = [min((r for r in rivals if r.precision == name), key=seconds.__getitem__) for name in precisions]
    floor = next(took for other, took in seconds.items() if other.name == ALONE and other.precision == side.precision)
    has_bar = not side.recomputes and options.device == "cpu"
    speed_bar = f" (bar at 75 steps: {SPEED_BARS[side.precision, training]})" if has_bar else ""
    speeds = (f"{seconds[rival] / seconds[side]:.2f} x {rival.name} {rival.precision}" for rival in fastest)
    found = [f"speed {', '.join(speeds)}{speed_bar}"]
    measured = [rival for rival in rivals if rival.precision in precisions and not math.isnan(gib.get(rival, math.nan))]
    if side in gib and measured:
        leanest = min(measured, key=gib.__getitem__)
        bar = f" (bar: {MEMORY_BAR})" if training else f" (bar: {INFERENCE_GIB_BAR} GiB)"
        found.append(
            f"memory {gib[side] / gib[leanest]:.2f} x {leanest.name} {leanest.precision}{bar if has_bar else ''}"
        )
    return "; ".join([*found, f"time {seconds[side] / floor:.2f} x the layers alone"])


if __name__ == "__main__":
    main()
