"""Reports for tests: one with every part, one with none."""

import functools

import numpy as np
import torch
from torch import nn

from conversion.graph import INPUT, Connection, LinearSynapse, Neuron, Population, Readout, SpikingGraph
from conversion.quantize import quantize
from conversion.spike_comparison import compare_spikes
from hardware.counts.ann_operations import count_ann_operations
from hardware.counts.operation_summary import summarise_ann_operations, summarise_operations
from hardware.counts.operations import count_operations
from hardware.energy.models import energy_estimates
from hardware.mapping.resources import chip_fit
from hardware.report import Report
from hardware.report.parts import (
    AccuracyRow,
    Agreement,
    Latency,
    Meta,
    Table,
    Trace,
    clip_picture,
    confusion_of,
    raster_of,
    recording_summary,
)
from hardware.target import LOIHI1, LOIHI2
from snnface.events.statistics import EventStatistics
from snnface.events.stream import EventStream
from snnface.events.window import Resolution


def network() -> SpikingGraph:
    synapse = LinearSynapse(np.array([[1.0, 0.5], [-0.5, 2.0]]))
    hidden = Population("hidden", (2,), Neuron(leak=0.5, threshold=1.0), (Connection(INPUT, synapse),))
    return SpikingGraph((2,), (hidden,), Readout("hidden", np.eye(2), np.zeros(2)))


def spikes(seed: int) -> np.ndarray:
    return (np.random.default_rng(seed).random((6, 3, 2)) < 0.5).astype(np.uint8)


@functools.cache
def full_report(name: str = "AU1", data: str = "synthetic faces") -> Report:
    graph = network()
    counted = count_operations(graph, spikes(0), {"hidden": spikes(1)})
    ann = count_ann_operations(nn.Sequential(nn.Linear(2, 2), nn.GRU(2, 2)), torch.ones(2, 2), batch_axis=0)
    answers = np.array([0.75, 0.25])
    events = EventStream.from_arrays(
        x=[0, 1, 2], y=[0, 0, 1], t_us=[0, 5000, 9999], polarity=[1, 0, 1], resolution=Resolution(4, 6)
    )
    return Report(
        title=name,
        data=data,
        is_synthetic=True,
        verdict="It works.",
        notices=("Read this first.",),
        provenance={"seed": 7, "date": "2000-01-02"},
        meta=Meta(
            model=name,
            weights="00ff",
            split="two test subjects",
            num_samples=3,
            num_steps=6,
            encoding="binary events",
            neuron="lif",
            reset="reset zero",
            precision="weights of 8 bits",
            tool="snnface 0",
        ),
        recording=recording_summary(name, statistics_of(events), sensor=events.resolution),
        predictions=Table(title="Answers", columns=("unit", "share"), rows=((name, 0.5), ("AU2", None))),
        traces=(Trace(title="Valence", seconds=(0.0, 1.0), series={name: (0.0, 0.5)}, unit="-1 to 1"),),
        accuracy=(
            AccuracyRow(name="SNN", num_clips=40, top1=0.61, top1_interval=(0.5, 0.7), top3=0.8),
            AccuracyRow(name="chance", num_clips=40, top1=0.5),
        ),
        confusion=confusion_of("SNN", (name, "AU2"), np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1])),
        clips=(clip_picture("clip7", np.ones((5, 2, 4, 4)), answers, (name, "AU2"), true_label="AU2"),),
        raster=raster_of({"hidden": spikes(1)}, sample=0, clip_id="clip7"),
        operations=summarise_operations(counted),
        ann=summarise_ann_operations(ann),
        energy=energy_estimates(counted, None),
        latency=Latency(num_steps=6, depth=1, step_us=33_000),
        agreement=(
            Agreement(step="float to NIR", comparisons=compare_spikes({"hidden": spikes(1)}, {"hidden": spikes(1)})),
            Agreement(
                step="float to integers", comparisons=compare_spikes({"hidden": spikes(1)}, {"hidden": spikes(2)})
            ),
            Agreement(step="integers to Lava", not_run="no environment"),
        ),
        parity=(Table(title="Tools", columns=("tool", "differing"), rows=(("Lava", 0),)),),
        quantisation=quantize(graph).layers,
        rounding=(Table(title="Roundings", columns=("step", "differing"), rows=(("weights", 4),)),),
        chip_fits=(chip_fit(graph, LOIHI1), chip_fit(graph, LOIHI2)),
        tables=(Table(title="More", columns=("a",), rows=((True,),)),),
        not_counted=("the coffee",),
        warnings=("one clip is short",),
    )


def bare_report() -> Report:
    return Report(title="Nothing yet", data="a data set", is_synthetic=False)


def statistics_of(events: EventStream) -> EventStatistics:
    statistics = EventStatistics()
    statistics.add(events)
    return statistics
