"""A run's per-frame ANN as a spiking network of a few steps: what it answers, and what an answer costs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce

import numpy as np
from torch import nn

from conversion.ann.sources import OwnData
from conversion.convert import ConvertConfig, convert
from conversion.event_input import for_event_bins
from conversion.graph import INPUT, LinearSynapse, SpikingGraph
from conversion.simulate import constant_input, simulate
from hardware.counts.operation_counts import NetworkOperations
from hardware.counts.operations import count_operations
from snnface.app.converted_run import ConvertedRun, open_converted_run
from snnface.app.evaluation import TestScorer
from snnface.app.experiment import Experiment
from snnface.app.frame_network import frame_network_of

__all__ = ["STEPS", "Converted", "converted"]

STEPS = 8
"""Each picture is shown for these many; 33 ms of counts and 40 ms of TBR divide by them."""

COUNTED_CLIPS = 4
"""Operations of one answer are the mean over these many test clips."""


@dataclass(frozen=True, kw_only=True)
class Converted:
    """What a converted network says and costs.

    Attributes:
        judged: its answers to the test clips.
        costs: operation -> how many a clip.
        notes: what to know of both.
    """

    judged: TestScorer
    costs: Mapping[str, float]
    notes: tuple[str, ...]


def converted(experiment: Experiment, model: nn.Module) -> Converted:
    """The run's network as a spiking one, on the test clips.

    Max-pools, where there are any, become averages, and the network is tuned to its ANN's
    answers on training pictures. Counts are shown as events, each picture's in eight parts of
    its time; other pictures are held.

    Raises:
        SnnfaceError: as `open_converted_run` and `convert`.
    """
    run = open_converted_run(experiment, frame_network_of(model, experiment.recipe.task.target))
    own = run.source.own
    assert own is not None
    settings = ConvertConfig(
        steps=STEPS,
        method="steps",
        max_pool="average",
        task=own.task,
        seed=experiment.recipe.seed,
        report_steps=(STEPS,),
    )
    made = convert(
        run.network,
        own.calibration.inputs,
        settings,
        training=own.training.inputs,
        evaluation=own.calibration.inputs,
    )
    shows_events = own.event_bins(STEPS) is not None
    graph = for_event_bins(made.graph, STEPS) if shows_events else made.graph
    answers = [simulate(graph, piece, keep=(), precision="float32").answers for piece in _shown(own)]
    notes = (
        f"converted by the method {made.report.method!r} for {STEPS} steps a picture, "
        + ("shown its events in as many parts of its time" if shows_events else "the picture held over all of them")
        + "; a fresh state for every picture",
        *made.report.removed,
    )
    judged = run.judged(np.concatenate(answers))
    return Converted(judged=judged, costs=_operations(run, graph, own), notes=notes)


def _shown(own: OwnData) -> Iterator[np.ndarray]:
    """The test pictures as the network sees them, [T, b, *input_shape]."""
    pieces = own.event_bins(STEPS)
    return iter([constant_input(own.evaluation.inputs, STEPS)]) if pieces is None else pieces


def _operations(run: ConvertedRun, graph: SpikingGraph, own: OwnData) -> dict[str, float]:
    """Additions, multiply-accumulates and spikes of a clip, mean over a few.

    A held picture passes the first layer once, in full; so do its products count.
    """
    clips = run.experiment.split.test[:COUNTED_CLIPS]
    num_pictures = len(run.pictures(clips))
    pieces = run.event_bins(clips, STEPS)
    if pieces is None:
        held = constant_input(run.pictures(clips), STEPS)
        silent = np.zeros(held.shape, np.uint8)
        counted = count_operations(graph, silent, simulate(graph, held, precision="float32").spikes)
        products = num_pictures * _products_of_input(graph)
    else:
        counts = []
        for piece in pieces:
            events = piece.astype(np.int64)
            counts.append(count_operations(graph, events, simulate(graph, events, precision="float32").spikes))
        counted, products = reduce(NetworkOperations.combine, counts), 0
    totals = {name: float(counted.per_sample(name).sum()) for name in ("synops", "macs", "spikes")}
    totals["macs"] += products
    return {name: total / len(clips) for name, total in totals.items()}


def _products_of_input(graph: SpikingGraph) -> int:
    """Multiply-accumulates of the connections that read a picture, zeros and padding among them."""
    total = 0
    for population in graph.populations:
        for link in population.inputs:
            if link.source == INPUT:
                positions = 1 if isinstance(link.synapse, LinearSynapse) else int(np.prod(population.shape[1:]))
                total += positions * link.synapse.weight.size
    return total
