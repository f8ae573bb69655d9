"""From a trained run to the chip, in named steps, each with the number of spikes that it changed.

    trained network -> spiking graph (NIR file)     0 spikes may change
    spiking graph -> integers, fixed point          the one step that loses something
    fixed point -> Lava                             0 spikes, 0 states may change

The result is `deployment.json`; the spiking graph is `model.nir`. How the integers' answer to each test clip was judged
is kept too, so that those of several folds can be scored together.
"""

import copy
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path

import numpy as np
from jaxtyping import Int64
from rich.console import Console
from torch import nn

from conversion.integer_graph import IntegerGraph
from conversion.quantisation_report import QuantisationReport, StepMeter
from conversion.quantize import QuantizedLayer
from conversion.runners.run import READOUT, Run
from conversion.simulate import simulate
from conversion.spike_comparison import SpikeComparison, added_comparisons, compare_spikes
from hardware.backends.base import RunResult
from hardware.backends.fixed_point import FixedPointBackend
from hardware.backends.reference import ReferenceBackend
from hardware.counts.ann_operations import AnnOperations, count_ann_operations
from hardware.counts.operation_counts import NetworkOperations
from hardware.counts.operation_summary import (
    AnnSummary,
    OperationsSummary,
    summarise_ann_operations,
    summarise_operations,
)
from hardware.counts.operations import count_operations
from hardware.energy.models import EnergyEstimate, energy_estimates
from hardware.mapping.resources import ChipFit, chip_fit
from hardware.report.parts import Agreement
from hardware.target import TARGETS, HardwareTarget
from snnface.app.catalog import scorings_of
from snnface.app.chip_clips import CLIPS_AT_ONCE, AnswerMeter, evenly_spread, first_clips, host_output, integer_batches
from snnface.app.evaluation import TestScorer, write_statistics
from snnface.app.experiment import Experiment
from snnface.app.parity_runner import ModelRunner
from snnface.app.parity_table import ParityRow, parity_rows
from snnface.app.prepared_network import Prepared, Scaling, prepare
from snnface.app.progress import counting_bar
from snnface.app.recipes import Recipe
from snnface.app.referees import NotRun, RefereeRun, fixed_point_run, lava_referee, netx_referee
from snnface.app.run import FIXED_POINT_STATISTICS, weights_hash
from snnface.config import to_json
from snnface.datasets.samples import batches
from snnface.errors import ConfigError, DataError, unknown_name
from snnface.files import atomic_path, write_text
from snnface.spiking.neurons import SpikingNeuron
from snnface.tasks.reconstruction import ReconstructionTaskConfig
from snnface.tasks.scoring import Measure

__all__ = [
    "Deployment",
    "DeploymentConfig",
    "check_baseline",
    "deploy_run",
]


@dataclass(frozen=True, kw_only=True)
class DeploymentConfig:
    """How a trained network goes to the chip.

    Attributes:
        target: the chip, by name.
        parity_clips: clips that every tool of the parity table runs.
        lava_clips: clips that Lava and netx run too, which take seconds for each; no more than `parity_clips`.
        step_clips: clips on which each step of quantising is put in by itself.
        scaling: how weights are brought into integers.

    Raises:
        ConfigError: if there is no such target, or a count is not positive.
    """

    target: str = "loihi2"
    parity_clips: int = 8
    lava_clips: int = 2
    step_clips: int = 32
    scaling: Scaling = field(default_factory=Scaling)

    def __post_init__(self) -> None:
        if self.target not in TARGETS:
            raise unknown_name("target", self.target, TARGETS)
        if min(self.parity_clips, self.lava_clips, self.step_clips) < 1:
            raise ConfigError("parity_clips, lava_clips and step_clips must be at least 1.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """Everything measured on the way to the chip; plain values, written as JSON.

    Attributes:
        weights: SHA-256 of the recipe and the weights that were deployed.
        head: what the chip answers; in a weighted sum that of the first task.
        agreement: trained network → NIR graph → fixed point → Lava, in this order.
        parity: the network in every tool that reads it, on the same clips.
        steps: what each rounding alone changed, and how near the integers came to their limits.
        fixed_point_scores: metric -> value and interval of that head, over all test clips.
        fixed_point_seconds, lava_seconds: wall time of the simulators a clip; no chip's latency.
    """

    weights: str
    target: str
    head: str
    num_clips: int
    agreement: tuple[Agreement, ...]
    parity: tuple[ParityRow, ...]
    quantized: tuple[QuantizedLayer, ...]
    steps: QuantisationReport
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

    @property
    def percentiles(self) -> dict[str, float]:
        """Population -> the clip percentile it was quantised with, where it was: for `prepare`."""
        return {layer.name: layer.clip_percentile for layer in self.quantized if layer.clip_percentile is not None}


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
    """Take a trained run to the chip and write `model.nir`, `deployment.json` and the statistics of
    `fixed_point_scores` into its folder.

    Accuracy and counts are taken over all test clips; nothing is chosen by them.

    Args:
        baseline: the trained ANN to count and compare energy with.

    Raises:
        UnsupportedLayerError: if the network, or its input, has no form on the chip.
    """
    config = config or DeploymentConfig()
    recipe, target = experiment.recipe, TARGETS[config.target]
    # Into the run folder only once all has gone well, beside the results that belong to it.
    with tempfile.TemporaryDirectory() as work:
        nir_path = Path(work) / "model.nir"
        scaling, calibration = config.scaling, None
        if scaling.scale == "search":
            calibration = _calibration(experiment, model, target, scaling.calibration_clips)
        prepared = prepare(model, recipe, target=target, nir_path=nir_path, scaling=scaling, calibration=calibration)
        nir_file = nir_path.read_bytes()
        chip = _on_chip(experiment, model, prepared, console)
        compared = _compared(experiment, model, prepared, nir_path, config)
    counted = None if baseline is None else _count_baseline(experiment, baseline)
    deployment = Deployment(
        weights=weights_hash(out),
        target=config.target,
        head=recipe.task.target,
        num_clips=chip.num_clips,
        agreement=(
            compared.trained,
            Agreement(
                step="float graph → fixed point",
                comparisons=chip.rounding,
                note=f"{_clips(chip.num_clips)}; the one lossy step: weights, leaks and thresholds become integers",
            ),
            compared.lava,
        ),
        parity=compared.rows,
        quantized=prepared.quantized.layers,
        steps=_steps(experiment, model, prepared, config.step_clips),
        fixed_point_scores=chip.scorer.scores(),
        num_folds=chip.num_folds,
        num_saturations=chip.num_saturations,
        operations=summarise_operations(chip.operations, seed=recipe.seed),
        baseline=None if counted is None else summarise_ann_operations(counted, seed=recipe.seed),
        energy=energy_estimates(chip.operations, counted),
        fits=tuple(chip_fit(prepared.quantized.graph, target) for target in TARGETS.values()),
        warnings=prepared.quantized.warnings,
        fixed_point_seconds=chip.seconds / chip.num_clips,
        lava_seconds=compared.lava_seconds,
    )
    with atomic_path(out / "model.nir") as temporary:
        temporary.write_bytes(nir_file)
    write_statistics({"model": chip.scorer.statistics}, out / FIXED_POINT_STATISTICS)
    write_text(out / "deployment.json", to_json(deployment))
    return deployment


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class _OnChip:
    """All test clips in the fixed-point simulator."""

    num_clips: int
    rounding: tuple[SpikeComparison, ...]
    operations: NetworkOperations
    scorer: TestScorer
    num_folds: int
    num_saturations: int
    seconds: float


def _on_chip(experiment: Experiment, model: nn.Module, prepared: Prepared, console: Console) -> _OnChip:
    recipe, clips = experiment.recipe, experiment.split.test
    backend = FixedPointBackend()
    program = backend.compile(prepared.quantized.graph, prepared.target)
    operations: list[NetworkOperations] = []
    rounding: list[tuple[SpikeComparison, ...]] = []
    scorer = TestScorer(experiment, scorings_of(recipe)[:1])
    num_done, seconds, folds, saturations = 0, 0.0, 0, 0
    with counting_bar(console, "fixed point") as on_progress:
        for spikes, batch in integer_batches(experiment, model, prepared.target, clips):
            run = backend.run(program, spikes)
            rounding.append(compare_spikes(simulate(prepared.graph, spikes).spikes, run.spikes))
            operations.append(count_operations(prepared.quantized.graph, spikes, run.spikes))
            scorer.add(host_output(model, recipe, run.answers, batch), batch)
            seconds += run.seconds
            folds += sum(run.num_folds.values())
            saturations += sum(run.num_saturations.values())
            num_done += len(batch.clip_ids)
            on_progress(num_done, len(clips))
    return _OnChip(
        num_clips=len(clips),
        rounding=added_comparisons(rounding),
        operations=reduce(NetworkOperations.combine, operations),
        scorer=scorer,
        num_folds=folds,
        num_saturations=saturations,
        seconds=seconds,
    )


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class _Compared:
    """A few clips in every tool."""

    rows: tuple[ParityRow, ...]
    trained: Agreement
    lava: Agreement
    lava_seconds: float | None


def _compared(
    experiment: Experiment, model: nn.Module, prepared: Prepared, nir_path: Path, config: DeploymentConfig
) -> _Compared:
    recipe, clips = experiment.recipe, experiment.split.test[: config.parity_clips]
    counts, batch = next(integer_batches(experiment, model, prepared.target, clips, at_once=len(clips)))
    twin = copy.deepcopy(model).double().eval()
    trained = ModelRunner(twin, prepared.graph.input_shape, recipe.task.target).run(counts)
    few = counts[:, : config.lava_clips]
    fixed_of_few = fixed_point_run(prepared, few)
    referees = [referee(prepared, few, fixed_of_few) for referee in (lava_referee, netx_referee)]

    def score(answers: np.ndarray) -> Mapping[str, float]:
        meter = AnswerMeter(model, recipe)
        # Clips are the last axis but one, with an answer at every step or without.
        meter.add(READOUT, answers, first_clips(batch, answers.shape[-2]))
        return meter.metrics()[READOUT]

    rows = parity_rows(
        prepared.graph,
        counts,
        nir_path=nir_path,
        trained=trained,
        fixed=fixed_point_run(prepared, counts),
        referees=referees,
        score=score,
    )
    lava, lava_seconds = _lava_agreement(referees[0])
    return _Compared(
        rows=rows, trained=_trained_agreement(trained, prepared, counts), lava=lava, lava_seconds=lava_seconds
    )


def _trained_agreement(trained: Run, prepared: Prepared, counts: Int64[np.ndarray, "T B *N"]) -> Agreement:
    """The trained network against the graph, both in float64: folding must not move a spike."""
    backend = ReferenceBackend()
    run: RunResult = backend.run(backend.compile(prepared.graph, prepared.target), counts)
    return Agreement(
        step="trained network → NIR graph",
        comparisons=compare_spikes(trained.spikes, run.spikes),
        note=f"{_clips(counts.shape[1])}, both in float64",
    )


def _lava_agreement(referee: RefereeRun) -> tuple[Agreement, float | None]:
    step, ran, compared = "fixed point → Lava", referee.ran, referee.agreement
    if isinstance(ran, NotRun) or compared is None:
        return Agreement(step=step, not_run=ran.reason if isinstance(ran, NotRun) else ""), None
    num_clips = ran.answers.shape[-2]
    result = Agreement(
        step=step,
        comparisons=compared.spikes,
        num_differing_states=compared.num_differing_states,
        note=_clips(num_clips),
    )
    return result, ran.seconds / num_clips


def _steps(experiment: Experiment, model: nn.Module, prepared: Prepared, count: int) -> QuantisationReport:
    """Each rounding alone, on clips from all over the test set."""

    def run_integers(graph: IntegerGraph, counts: np.ndarray) -> tuple[Mapping[str, np.ndarray], np.ndarray]:
        result = backend.run(program, counts)
        return result.spikes, result.answers

    backend = FixedPointBackend()
    program = backend.compile(prepared.quantized.graph, prepared.target)
    meter = StepMeter(prepared.graph, prepared.quantized, run_integers=run_integers)
    judge = AnswerMeter(model, experiment.recipe)
    clips = evenly_spread(experiment.split.test, count)
    for counts, batch in integer_batches(experiment, model, prepared.target, clips):
        for step, answers in meter.add(counts).items():
            judge.add(step, answers, batch)
    return meter.report(judge.metrics())


def _calibration(
    experiment: Experiment, model: nn.Module, target: HardwareTarget, count: int
) -> Int64[np.ndarray, "T B C H W"]:
    """Clips to choose scales by: of the validation subjects, or, where there are none, of those trained on."""
    clips = evenly_spread(experiment.split.validation or experiment.split.train, count)
    counts, _ = next(integer_batches(experiment, model, target, clips, at_once=len(clips)))
    return counts


def _count_baseline(experiment: Experiment, baseline: nn.Module) -> AnnOperations:
    samples = experiment.samples(experiment.split.test)
    counted = (
        count_ann_operations(baseline, batch.inputs, batch_axis=1)
        for batch in batches(samples, batch_size=CLIPS_AT_ONCE)
    )
    return reduce(AnnOperations.combine, counted)


def _clips(count: int) -> str:
    return f"{count} clip" if count == 1 else f"{count} clips"
