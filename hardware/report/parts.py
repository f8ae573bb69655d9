"""The parts of a report, as plain values, and how to make them from arrays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Integer, Shaped

from conversion.spike_comparison import SpikeComparison
from hardware.report.pictures import event_montage, png_bytes
from snnface.errors import DataError
from snnface.events.readers.base import Extras
from snnface.events.statistics import EventStatistics
from snnface.events.window import Resolution
from snnface.pages.blocks import ClipPicture
from snnface.representations.histogram import ON_CHANNEL

__all__ = [
    "AccuracyRow",
    "Agreement",
    "Cell",
    "ClipPicture",
    "Confusion",
    "Latency",
    "Meta",
    "Raster",
    "RasterLayer",
    "RecordingSummary",
    "Table",
    "Trace",
    "clip_picture",
    "confusion_of",
    "raster_of",
    "recording_summary",
]

Cell = str | int | float | bool | None

NO_EXTRAS = Extras()


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table of the caller's own: plain cells, None where there is no value."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise DataError(f"table {self.title!r} has {len(self.columns)} columns; got a row of {len(row)} cells.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Meta:
    """What was counted, in the words that every such report should have.

    Attributes:
        weights: SHA-256 of what was deployed.
        split: which part of the data, and how it was chosen.
        num_steps: of a sample.
        encoding: how the data becomes messages.
        neuron, reset: of the network as it was trained.
        precision: of the network as it was counted.
        tool: name and version.
        estimate: energies are estimated, never measured.
    """

    model: str
    weights: str
    split: str
    num_samples: int
    num_steps: int
    encoding: str
    neuron: str
    reset: str
    precision: str
    tool: str
    estimate: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class AccuracyRow:
    """One model, or one way of guessing: shares in 0..1, with 95 % intervals where known."""

    name: str
    num_clips: int
    top1: float
    top1_interval: tuple[float, float] | None = None
    top3: float | None = None
    top3_interval: tuple[float, float] | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Confusion:
    """Clips by true class (row) and predicted class (column)."""

    model: str
    class_names: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RasterLayer:
    """Some neurons of one population: for each the steps at which it fired."""

    name: str
    num_neurons: int
    neurons: tuple[int, ...]
    steps: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Raster:
    """Spikes of one clip."""

    clip_id: str
    num_steps: int
    layers: tuple[RasterLayer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """One step of deployment, spikes before against spikes after.

    Attributes:
        step: such as "float network -> NIR".
        comparisons: population by population; empty where it was not run.
        num_differing_states: final currents and voltages that differ; None where there are none to compare.
        not_run: why not; empty where it was.
        note: what explains a difference.
    """

    step: str
    comparisons: tuple[SpikeComparison, ...] = ()
    num_differing_states: int | None = None
    not_run: str = ""
    note: str = ""

    @property
    def num_spikes(self) -> int:
        return sum(comparison.num_spikes_a for comparison in self.comparisons)

    @property
    def num_differing(self) -> int:
        return sum(comparison.num_differing for comparison in self.comparisons)

    @property
    def is_identical(self) -> bool:
        """It was run, and neither a spike nor a state differs."""
        return not self.not_run and self.num_differing == 0 and not self.num_differing_states


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Steps from the first event to the answer: the clip's own, and the pipeline's depth."""

    num_steps: int
    depth: int
    step_us: int

    @property
    def milliseconds(self) -> float:
        """Duration of the events themselves plus one step per layer; not a measured time."""
        return (self.num_steps + self.depth) * self.step_us / 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """Values over time."""

    title: str
    seconds: tuple[float, ...]
    series: Mapping[str, tuple[float, ...]]
    unit: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingSummary:
    """What a recording holds.

    Attributes:
        on_fraction: share of ON events; None without events.
        num_triggers, num_frames: None where the format has none of the kind.
        seconds: start of each bin of the rate curves, from the first event.
        on_rate, off_rate: events per second in each bin.
    """

    name: str
    sensor: str
    num_events: int
    duration_s: float
    on_fraction: float | None
    seconds: tuple[float, ...]
    on_rate: tuple[float, ...]
    off_rate: tuple[float, ...]
    num_triggers: int | None = None
    num_frames: int | None = None

    @property
    def event_rate(self) -> float:
        """Mean events per second; 0 for an empty recording."""
        return self.num_events / self.duration_s if self.duration_s else 0.0


def recording_summary(
    name: str, statistics: EventStatistics, *, sensor: Resolution, extras: Extras = NO_EXTRAS
) -> RecordingSummary:
    """What was gathered of a recording, as plain values."""
    seconds, on, off = statistics.rates()
    return RecordingSummary(
        name=name,
        sensor=str(sensor),
        num_events=statistics.num_events,
        duration_s=statistics.duration_us / 1e6,
        on_fraction=statistics.on_fraction,
        seconds=tuple(seconds.tolist()),
        on_rate=tuple(on.tolist()),
        off_rate=tuple(off.tolist()),
        num_triggers=extras.num_triggers,
        num_frames=extras.num_frames,
    )


def confusion_of(
    model: str,
    class_names: Sequence[str],
    true: Integer[np.ndarray, " N"],
    predicted: Integer[np.ndarray, " N"],
) -> Confusion:
    """Count clips by true and predicted class index."""
    size = len(class_names)
    counts = np.bincount(true * size + predicted, minlength=size * size).reshape(size, size)
    return Confusion(
        model=model, class_names=tuple(class_names), counts=tuple(tuple(int(n) for n in row) for row in counts)
    )


def raster_of(spikes: Mapping[str, np.ndarray], *, sample: int, clip_id: str, max_neurons: int = 60) -> Raster:
    """Spikes of one sample, [T, B, *shape] by population.

    Of each layer at most `max_neurons` are shown, evenly spaced among those that fired.
    """
    layers = []
    num_steps = 0
    for name, train in spikes.items():
        flat = train[:, sample].reshape(len(train), -1)
        num_steps = len(flat)
        fired = np.flatnonzero(flat.any(axis=0))
        shown = fired[np.linspace(0, len(fired) - 1, min(max_neurons, len(fired))).round().astype(int)]
        layers.append(
            RasterLayer(
                name=name,
                num_neurons=flat.shape[1],
                neurons=tuple(int(index) for index in shown),
                steps=tuple(tuple(int(step) for step in np.flatnonzero(flat[:, index])) for index in shown),
            )
        )
    return Raster(clip_id=clip_id, num_steps=num_steps, layers=tuple(layers))


def clip_picture(
    clip_id: str,
    frames: Shaped[np.ndarray, "T C H W"],
    answers: Float[np.ndarray, " K"],
    class_names: Sequence[str],
    *,
    true_label: str | None = None,
    on_channel: int = ON_CHANNEL,
    num_votes: int = 3,
) -> ClipPicture:
    """Draw a clip and name its highest answers; ties go to the lower class index."""
    order = np.argsort(-answers, kind="stable")[:num_votes]
    return ClipPicture(
        clip_id=clip_id,
        png=png_bytes(event_montage(frames, on_channel=on_channel)),
        num_steps=len(frames),
        votes=tuple((class_names[index], float(answers[index])) for index in order),
        true_label=true_label,
    )
