"""From a trained run to the chip, in named steps, each with the number of spikes that it changed.

    trained network -> spiking graph (NIR file)     0 spikes may change
    spiking graph -> integers, fixed point          the one step that loses something
    fixed point -> Lava                             0 spikes, 0 states may change

The result is `deployment.json`; the spiking graph is `model.nir`.
"""

import copy
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32, Int64
from rich.console import Console
from torch import Tensor, nn

from conversion.from_snn import graph_from_model
from conversion.graph import SpikingGraph
from conversion.nir_export import write_nir
from conversion.nir_import import read_nir
from conversion.quantize import QuantizeConfig, Quantized, QuantizedLayer, quantize
from conversion.simulate import simulate
from conversion.spike_comparison import SpikeComparison, compare_spikes
from hardware.agreement import agreement
from hardware.ann_operations import AnnOperations, count_ann_operations
from hardware.backends.base import RunResult
from hardware.backends.fixed_point import FixedPointBackend
from hardware.backends.lava import LavaBackend, find_lava_python
from hardware.backends.reference import ReferenceBackend
from hardware.energy import EnergyEstimate, energy_estimates
from hardware.operation_counts import NetworkOperations
from hardware.operation_summary import AnnSummary, OperationsSummary, summarise_ann_operations, summarise_operations
from hardware.operations import count_operations
from hardware.report_parts import Agreement
from hardware.resources import ChipFit, chip_fit
from hardware.target import LOIHI2, TARGETS, HardwareTarget
from snnface.app.catalog import scorings_of
from snnface.app.evaluation import TestScorer
from snnface.app.experiment import Experiment
from snnface.app.progress import counting_bar
from snnface.app.recipes import Recipe
from snnface.app.run import weights_hash
from snnface.config import to_json
from snnface.datasets.clip import Batch
from snnface.datasets.picture_samples import REFERENCE
from snnface.datasets.samples import batches
from snnface.errors import ConfigError, DataError, HardwareError, UnsupportedLayerError, unknown_name
from snnface.files import atomic_path, write_text
from snnface.models.reconstruction import SpikingReconstruction
from snnface.representations.histogram import HistogramConfig
from snnface.spiking.activity import record_activity
from snnface.spiking.neurons import SpikingNeuron
from snnface.tasks.reconstruction import ReconstructionTaskConfig
from snnface.tasks.scoring import Measure

__all__ = [
    "Deployment",
    "DeploymentConfig",
    "Prepared",
    "added_comparisons",
    "check_baseline",
    "compare_lava",
    "deploy_run",
    "integer_counts",
    "prepare",
]

CLIPS_AT_ONCE = 8


@dataclass(frozen=True, kw_only=True)
class DeploymentConfig:
    """How a trained network goes to the chip.

    Attributes:
        target: the chip, by name.
        parity_clips: clips on which the trained network and the NIR graph are compared.
        lava_clips: clips that Lava runs too; it takes seconds for each.

    Raises:
        ConfigError: if there is no such target, or a count is not positive.
    """

    target: str = "loihi2"
    parity_clips: int = 8
    lava_clips: int = 2

    def __post_init__(self) -> None:
        if self.target not in TARGETS:
            raise unknown_name("target", self.target, TARGETS)
        if self.parity_clips < 1 or self.lava_clips < 1:
            raise ConfigError("parity_clips and lava_clips must be at least 1.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """Everything measured on the way to the chip; plain values, written as JSON.

    Attributes:
        weights: SHA-256 of the recipe and the weights that were deployed.
        head: what the chip answers; in a weighted sum that of the first task.
        agreement: trained network → NIR graph → fixed point → Lava, in this order.
        fixed_point_scores: metric -> value and interval of that head, over all test clips.
        fixed_point_seconds, lava_seconds: wall time of the simulators a clip; no chip's latency.
    """

    weights: str
    target: str
    head: str
    num_clips: int
    agreement: tuple[Agreement, ...]
    quantized: tuple[QuantizedLayer, ...]
    fixed_point_scores: Mapping[str, Measure]
    num_folds: int
    num_saturations: int
    operations: OperationsSummary
    baseline: AnnSummary | None
    energy: tuple[EnergyEstimate, ...]
    fits: tuple[ChipFit, ...]
    warnings: tuple[str, ...]
    fixed_point_seconds: float
    lava_seconds: float | None = None

    def __post_init__(self) -> None:
        if self.target not in TARGETS or len(self.agreement) != 3:
            raise DataError("a deployment needs a known target and three comparisons; this one is damaged.")


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A trained network as a graph and as integers."""

    graph: SpikingGraph
    quantized: Quantized
    target: HardwareTarget


def prepare(
    model: nn.Module, recipe: Recipe, *, target: HardwareTarget = LOIHI2, nir_path: Path | None = None
) -> Prepared:
    """Fold, export and quantise a recipe's trained model; of several heads that of the first task.

    The graph that goes on is the one read back from the NIR file where `nir_path` is
    given, so that what is deployed is what other tools can load.
    """
    graph = graph_from_model(copy.deepcopy(model).double().eval(), head=recipe.task.target)
    if nir_path is not None:
        write_nir(graph, nir_path)
        graph = read_nir(nir_path)
    peak = recipe.representation.max_count if isinstance(recipe.representation, HistogramConfig) else None
    if peak is not None and isinstance(model, SpikingReconstruction):
        peak = max(peak, _whitest(model))
    # No more bits than the pictures' counts need.
    input_bits = target.input_bits if peak is None else min(target.input_bits, peak.bit_length())
    config = QuantizeConfig(weight_bits=target.weight_bits, input_bits=input_bits, peak_input=peak)
    quantized = quantize(graph, config)
    return Prepared(graph, quantized, target)


def check_baseline(recipe: Recipe, baseline_recipe: Recipe, baseline: nn.Module) -> None:
    """A baseline must be an ANN that saw the same data, split and pictures for the same task.

    Raises:
        ConfigError: if it does not; names what differs. If the task is reconstruction.
    """
    if any(isinstance(module, SpikingNeuron) for module in baseline.modules()):
        raise ConfigError(f"the baseline {baseline_recipe.name!r} is a spiking network; name the run of an ANN.")
    if isinstance(recipe.task, ReconstructionTaskConfig):
        raise ConfigError(
            f"operations of a network that is shown a reference picture are not counted, so {recipe.name!r} has no "
            "baseline; leave out --baseline. `snnface evaluate` compares the pictures."
        )
    parts = ("data", "split", "representation", "task", "seed")
    differing = [part for part in parts if getattr(recipe, part) != getattr(baseline_recipe, part)]
    if differing:
        raise ConfigError(
            f"the baseline {baseline_recipe.name!r} differs from {recipe.name!r} in {', '.join(differing)}; numbers "
            "side by side need the same data, split, pictures and task. Train it with the same options."
        )


def deploy_run(
    experiment: Experiment,
    model: nn.Module,
    out: Path,
    *,
    config: DeploymentConfig | None = None,
    baseline: nn.Module | None = None,
    console: Console,
) -> Deployment:
    """Take a trained run to the chip and write `model.nir` and `deployment.json` into its folder.

    Accuracy and counts are taken over all test clips; nothing is chosen by them.

    Args:
        baseline: the trained ANN to count and compare energy with.

    Raises:
        UnsupportedLayerError: if the network, or its input, has no form on the chip.
    """
    config = config or DeploymentConfig()
    recipe = experiment.recipe
    # Into the run folder only once all has gone well, beside the results that belong to it.
    with tempfile.TemporaryDirectory() as work:
        prepared = prepare(model, recipe, target=TARGETS[config.target], nir_path=Path(work) / "model.nir")
        nir_file = (Path(work) / "model.nir").read_bytes()
    backend = FixedPointBackend()
    program = backend.compile(prepared.quantized.graph, prepared.target)
    num_clips = len(experiment.split.test)
    operations: list[NetworkOperations] = []
    rounding: list[tuple[SpikeComparison, ...]] = []
    scorer = TestScorer(experiment, scorings_of(recipe)[:1])
    num_done, seconds, folds, saturations = 0, 0.0, 0, 0
    with counting_bar(console, "fixed point") as on_progress:
        for spikes, batch in integer_batches(experiment, model, prepared.target):
            run = backend.run(program, spikes)
            exact = simulate(prepared.graph, spikes)
            rounding.append(compare_spikes(exact.spikes, run.spikes))
            operations.append(count_operations(prepared.quantized.graph, spikes, run.spikes))
            scorer.add({recipe.task.target: _answers(model, torch.from_numpy(run.answers).float(), batch)}, batch)
            seconds += run.seconds
            folds += sum(run.num_folds.values())
            saturations += sum(run.num_saturations.values())
            num_done += len(batch.clip_ids)
            on_progress(num_done, num_clips)
    total = reduce(NetworkOperations.combine, operations)
    counted = None if baseline is None else _count_baseline(experiment, baseline)
    lava, lava_seconds = compare_lava(prepared, _first_clips(experiment, model, prepared.target, config.lava_clips))
    deployment = Deployment(
        weights=weights_hash(out),
        target=config.target,
        head=recipe.task.target,
        num_clips=num_clips,
        agreement=(
            _compare_trained(model, prepared, _first_clips(experiment, model, prepared.target, config.parity_clips)),
            Agreement(
                step="float graph → fixed point",
                comparisons=added_comparisons(rounding),
                note=f"{_clips(num_clips)}; the one lossy step: weights, leaks and thresholds become integers",
            ),
            lava,
        ),
        quantized=prepared.quantized.layers,
        fixed_point_scores=scorer.scores(),
        num_folds=folds,
        num_saturations=saturations,
        operations=summarise_operations(total, seed=recipe.seed),
        baseline=None if counted is None else summarise_ann_operations(counted, seed=recipe.seed),
        energy=energy_estimates(total, counted),
        fits=tuple(chip_fit(prepared.quantized.graph, target) for target in TARGETS.values()),
        warnings=prepared.quantized.warnings,
        fixed_point_seconds=seconds / num_clips,
        lava_seconds=lava_seconds,
    )
    with atomic_path(out / "model.nir") as temporary:
        temporary.write_bytes(nir_file)
    write_text(out / "deployment.json", to_json(deployment))
    return deployment


def integer_batches(
    experiment: Experiment, model: nn.Module, target: HardwareTarget
) -> Iterator[tuple[Int64[np.ndarray, "T B C H W"], Batch]]:
    """The test clips, a few at a time, as the counts that the chip is fed, each with its batch.

    Raises:
        UnsupportedLayerError: if the representation does not give whole numbers that fit
            the target's input messages.
    """
    for batch in batches(experiment.samples(experiment.split.test), batch_size=CLIPS_AT_ONCE):
        inputs = batch.inputs
        if isinstance(model, SpikingReconstruction):
            # The chip is shown the reference too, as the network's own layers are.
            inputs = model.joined(inputs, batch.targets[REFERENCE])
        yield integer_counts(inputs.numpy(), target), batch


def _answers(model: nn.Module, answers: Tensor, batch: Batch) -> Tensor:
    """What the host makes of the chip's readout: a potential becomes a picture, all else stays."""
    if not isinstance(model, SpikingReconstruction):
        return answers
    reference = batch.targets[REFERENCE]
    return model.picture(answers.reshape(reference.shape), reference)


def _whitest(model: SpikingReconstruction) -> int:
    """The number that stands for white in the reference's channel."""
    size = model.resolution
    dark = torch.zeros(1, 1, model.in_channels, size.height, size.width)
    return int(model.joined(dark, torch.ones(1, 1, size.height, size.width)).max())


def _first_clips(
    experiment: Experiment, model: nn.Module, target: HardwareTarget, count: int
) -> Int64[np.ndarray, "T B C H W"]:
    gathered = []
    for counts, _ in integer_batches(experiment, model, target):
        gathered.append(counts)
        if sum(part.shape[1] for part in gathered) >= count:
            break
    return np.concatenate(gathered, axis=1)[:, :count]


def integer_counts(inputs: Float32[np.ndarray, "*shape"], target: HardwareTarget) -> Int64[np.ndarray, "*shape"]:
    """Event pictures as the whole numbers that the target's input messages carry.

    Raises:
        UnsupportedLayerError: if a value is not whole, negative, or too large.
    """
    limit = max(2**target.input_bits - 1, 1)
    if not np.array_equal(inputs, np.round(inputs)) or inputs.min() < 0 or inputs.max() > limit:
        raise UnsupportedLayerError(
            f"{target.name} takes whole input counts of 0..{limit}; this representation gives values in "
            f"{inputs.min():g}..{inputs.max():g}. Use the polarity histogram with max_count={limit} or less."
        )
    return inputs.astype(np.int64)


def compare_lava(prepared: Prepared, inputs: Int64[np.ndarray, "T B *N"]) -> tuple[Agreement, float | None]:
    """Fixed point against Lava: spikes and final states; and Lava's seconds a clip."""
    step = "fixed point → Lava"
    if find_lava_python() is None:
        return Agreement(step=step, not_run="Lava's environment is not installed (make lava)"), None
    fixed, lava = FixedPointBackend(), LavaBackend()
    ours = fixed.run(fixed.compile(prepared.quantized.graph, prepared.target), inputs)
    try:
        theirs = lava.run(lava.compile(prepared.quantized.graph, prepared.target), inputs)
    except HardwareError as error:
        # The referee is wanted, not needed: what keeps it away is reported, not fatal.
        return Agreement(step=step, not_run=str(error)), None
    compared = agreement(ours, theirs)
    result = Agreement(
        step=step,
        comparisons=compared.spikes,
        num_differing_states=compared.num_differing_states,
        note=_clips(inputs.shape[1]),
    )
    return result, theirs.seconds / inputs.shape[1]


def _compare_trained(model: nn.Module, prepared: Prepared, inputs: Int64[np.ndarray, "T B *N"]) -> Agreement:
    """The trained network against the graph, both in float64: folding must not move a spike."""
    twin = copy.deepcopy(model).double().eval()
    with torch.inference_mode(), record_activity(twin, keep_trains=True) as activity:
        counts = torch.from_numpy(inputs).double()
        # The reference is among the counts already.
        twin.decoder(twin.encoder(counts)) if isinstance(twin, SpikingReconstruction) else twin(counts)
    backend = ReferenceBackend()
    run: RunResult = backend.run(backend.compile(prepared.graph, prepared.target), inputs)
    trained = {name: train.numpy() for name, train in activity.trains.items()}
    return Agreement(
        step="trained network → NIR graph",
        comparisons=compare_spikes(trained, run.spikes),
        note=f"{_clips(inputs.shape[1])}, both in float64",
    )


def _count_baseline(experiment: Experiment, baseline: nn.Module) -> AnnOperations:
    samples = experiment.samples(experiment.split.test)
    counted = (
        count_ann_operations(baseline, batch.inputs, batch_axis=1)
        for batch in batches(samples, batch_size=CLIPS_AT_ONCE)
    )
    return reduce(AnnOperations.combine, counted)


def added_comparisons(parts: list[tuple[SpikeComparison, ...]]) -> tuple[SpikeComparison, ...]:
    """Comparisons of several batches as one; batches without any are left out."""
    parts = [part for part in parts if part]
    return tuple(
        SpikeComparison(
            population=rows[0].population,
            num_spikes_a=sum(row.num_spikes_a for row in rows),
            num_spikes_b=sum(row.num_spikes_b for row in rows),
            num_differing=sum(row.num_differing for row in rows),
            num_bins=sum(row.num_bins for row in rows),
            first_step=min((row.first_step for row in rows if row.first_step is not None), default=None),
        )
        for rows in zip(*parts, strict=True)
    )


def _clips(count: int) -> str:
    return f"{count} clip" if count == 1 else f"{count} clips"
