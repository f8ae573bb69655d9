"""A real recording through the trained network: pictures, answers, spikes, and what to make of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32
from torch import nn

from conversion.parity import SpikeComparison, compare_spikes
from conversion.simulate import simulate
from hardware.backends.base import RunResult
from hardware.backends.fixed_point import FixedPointBackend
from hardware.energy import energy_estimates
from hardware.operation_counts import NetworkOperations
from hardware.operation_summary import summarise_operations
from hardware.operations import count_operations
from hardware.report import Report
from hardware.report_parts import (
    Agreement,
    ClipPicture,
    RecordingSummary,
    Table,
    clip_picture,
    raster_of,
    recording_summary,
)
from hardware.resources import chip_fit
from hardware.target import LOIHI2, TARGETS
from snnface import __version__
from snnface.app.catalog import class_names_of, representation_of
from snnface.app.deployment import Prepared, added_comparisons, integer_counts, prepare
from snnface.app.recipes import Recipe
from snnface.app.reporting import NOT_COUNTED
from snnface.app.run import KNOWN_FACES, load_run
from snnface.errors import DataError
from snnface.events import EventStream, Resolution, TimeWindow, centre_square, crop, open_events
from snnface.events.readers.base import Extras
from snnface.events.statistics import EventStatistics
from snnface.faces.presence import KnownFaces, load_known_faces
from snnface.recording import Recording
from snnface.representations.histogram import ON_CHANNEL

__all__ = ["Analysis", "WindowAnswer", "analyse"]

MAX_PICTURES = 6
MAX_WINDOWS = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowAnswer:
    """One clip length of the recording that holds events.

    Attributes:
        start_s: from the first event.
        answer, vote: the best class of the float network, and its share of the votes.
        fixed_point_answer: the best class on the chip.
        face_distance: to the nearest known face; see `KnownFaces`.
        shows_face: is it as near to one as faces are to each other?
    """

    start_s: float
    num_events: int
    answer: str
    vote: float
    fixed_point_answer: str
    face_distance: float
    shows_face: bool


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """What was found.

    Attributes:
        shows_face: does any window look like a face that the model knows?
        windows: window by window; those without events are left out.
        losses: what a recovering read left out, a phrase each.
        report: the page, ready to be written.
    """

    shows_face: bool
    sentence: str
    summary: RecordingSummary
    windows: tuple[WindowAnswer, ...]
    losses: tuple[str, ...]
    report: Report


def analyse(
    path: Path, run: Path, *, resolution: Resolution | None = None, recover: bool = False, date: str
) -> Analysis:
    """Run a recording through a trained spiking network, in float and in fixed point.

    The recording is cut into windows of the length of the training clips, read one after
    the other; pictures are kept of the busiest few only. Of the sensor, the square in the
    middle is shown to the network: no face is looked for, but see `KnownFaces`.

    Args:
        path: a recording in a format that `snnface.events.open_events` reads.
        run: a run folder of a spiking network.
        resolution: size of the sensor, where the file does not state it.
        recover: leave out what is damaged, and say what on the page, instead of raising.
        date: for the provenance.

    Raises:
        DatasetNotFoundError, DataError: if the file cannot be read, holds no event, or
            spans more than MAX_WINDOWS windows.
        CheckpointError: if the run is not a trained one.
        UnsupportedLayerError: if the run's network is not a spiking one.
    """
    recipe, model = load_run(run)
    gathered = _Gathered(recipe, model, load_known_faces(run / KNOWN_FACES), path)
    file = open_events(path, resolution=resolution, recover=recover)
    window_us = recipe.data.clip_ms * 1000
    for index, events in enumerate(file.slices(window_us)):
        if index >= MAX_WINDOWS:
            raise DataError(
                f"{path} spans more than {MAX_WINDOWS * window_us / 3.6e9:.0f} hours, which is more than is analysed. "
                "A jump in its time stamps is the likely reason; cut the recording there."
            )
        if not events.is_empty:
            gathered.add(index, events, window_us)
    if not gathered.windows:
        raise DataError(f"{path} holds no events; there is nothing to analyse.")
    # Of the pass through the events: counting the extras is a pass of its own.
    losses = file.losses
    return gathered.finished(file.extras(), losses, date)


@dataclass(frozen=True, slots=True, eq=False)
class _Shown:
    """A window whose pictures are kept."""

    num_events: int
    start_s: float
    pictures: Float32[np.ndarray, "T C H W"]
    answers: np.ndarray
    run: RunResult


class _Gathered:
    """What the windows add up to."""

    def __init__(self, recipe: Recipe, model: nn.Module, faces: KnownFaces, path: Path) -> None:
        self.recipe, self.model, self.faces, self.path = recipe, model, faces, path
        self.prepared: Prepared = prepare(model, recipe, target=LOIHI2)
        self.representation = representation_of(recipe)
        self.class_names = class_names_of(recipe)
        self.statistics = EventStatistics()
        self.windows: list[WindowAnswer] = []
        self.busiest: list[_Shown] = []
        self.rounding: tuple[SpikeComparison, ...] = ()
        self.operations: NetworkOperations | None = None
        self._resolution: Resolution | None = None
        self._backend = FixedPointBackend()
        self._program = self._backend.compile(self.prepared.quantized.graph, self.prepared.target)

    def add(self, index: int, events: EventStream, window_us: int) -> None:
        """One window: statistics, then the network."""
        self.statistics.add(events)
        self._resolution = events.resolution
        start_us = self.statistics.start_us + index * window_us
        face = crop(events, centre_square(events.resolution))
        recording = Recording(recording_id=self.path.name, subject="unknown", events=face)
        pictures = self.representation(recording, TimeWindow(start_us, start_us + window_us))
        counts = integer_counts(pictures[:, None], self.prepared.target)
        run = self._backend.run(self._program, counts)
        self._compare(counts, run)
        with torch.inference_mode():
            answers = self.model(torch.from_numpy(pictures)[:, None])[self.recipe.task.target][0].numpy()
        distance = self.faces.distance(torch.from_numpy(pictures))
        best = int(answers.argmax())
        self.windows.append(
            WindowAnswer(
                start_s=index * window_us / 1e6,
                num_events=len(events),
                answer=self.class_names[best],
                vote=float(answers[best]),
                fixed_point_answer=self.class_names[int(run.answers[0].argmax())],
                face_distance=distance,
                shows_face=distance <= self.faces.limit,
            )
        )
        shown = _Shown(len(events), index * window_us / 1e6, pictures, answers, run)
        self.busiest = sorted([*self.busiest, shown], key=lambda kept: -kept.num_events)[:MAX_PICTURES]

    def _compare(self, counts: np.ndarray, run: RunResult) -> None:
        exact = simulate(self.prepared.graph, counts)
        operations = count_operations(self.prepared.quantized.graph, counts, run.spikes)
        self.operations = operations if self.operations is None else self.operations.combine(operations)
        self.rounding = added_comparisons([self.rounding, compare_spikes(exact.spikes, run.spikes)])

    def finished(self, extras: Extras, losses: tuple[str, ...], date: str) -> Analysis:
        shows_face = any(window.shows_face for window in self.windows)
        sentence = self._sentence()
        assert self.operations is not None
        assert self._resolution is not None
        summary = recording_summary(self.path.name, self.statistics, sensor=self._resolution, extras=extras)
        report = Report(
            title=f"Analysis of {self.path.name}",
            data=self.path.name,
            is_synthetic=False,
            verdict=(
                f"{summary.num_events:,} events in {summary.duration_s:.3f} s; "
                f"{'perhaps a face' if shows_face else 'no face that the model could know'}."
            ),
            notices=(
                sentence,
                f"The network ({self.recipe.name}) was trained on synthetic faces only; the middle square of the "
                "sensor is shown to it as it is. It answers whatever it is shown.",
            ),
            provenance={"model": self.recipe.name, "snnface": __version__, "torch": torch.__version__, "date": date},
            recording=summary,
            predictions=self._table(),
            clips=tuple(self._pictures()),
            raster=raster_of(self.busiest[0].run.spikes, sample=0, clip_id="the busiest window"),
            operations=summarise_operations(self.operations, seed=self.recipe.seed),
            energy=energy_estimates(self.operations),
            agreement=(
                Agreement(
                    step="float graph → fixed point",
                    comparisons=self.rounding,
                    note=f"every window with events of this recording ({len(self.windows)})",
                ),
            ),
            quantisation=self.prepared.quantized.layers,
            chip_fits=tuple(chip_fit(self.prepared.quantized.graph, target) for target in TARGETS.values()),
            not_counted=NOT_COUNTED,
            warnings=tuple(f"The recording is damaged: {loss} were left out." for loss in losses),
        )
        return Analysis(shows_face, sentence, summary, tuple(self.windows), losses, report)

    def _sentence(self) -> str:
        nearest = 100 * min(window.face_distance for window in self.windows)
        limit = f"faces held out of training stay below {100 * self.faces.limit:.0f} % (99th percentile)"
        similar = sum(window.shows_face for window in self.windows)
        if similar:
            return (
                f"{similar} of {len(self.windows)} windows may show a face: in the nearest, {nearest:.0f} % of the "
                f"events lie elsewhere than in a face that the model knows; {limit}. No face detector has confirmed it."
            )
        return (
            f"This recording shows no face that the model could know: in every window at least {nearest:.0f} % of the "
            f"events lie elsewhere than in the nearest known face; {limit}. The answers below mean nothing."
        )

    def _table(self) -> Table:
        return Table(
            title="Answers, window by window",
            columns=("start s", "events", "events elsewhere than in a face", "answer", "vote", "answer in fixed point"),
            rows=tuple(
                (
                    window.start_s,
                    window.num_events,
                    f"{100 * window.face_distance:.0f} %",
                    window.answer,
                    round(window.vote, 3),
                    window.fixed_point_answer,
                )
                for window in self.windows
            ),
            note="An answer is only worth reading where there is a face. Windows without events are left out.",
        )

    def _pictures(self) -> Iterator[ClipPicture]:
        for shown in sorted(self.busiest, key=lambda kept: kept.start_s):
            yield clip_picture(
                f"from {shown.start_s:.2f} s",
                shown.pictures,
                shown.answers.astype(np.float64),
                self.class_names,
                on_channel=ON_CHANNEL,
            )
