"""A recording's windows through the network, in float and in fixed point, and what they add up to."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32, Float64
from torch import nn

from conversion.simulate import simulate
from conversion.spike_comparison import SpikeComparison, added_comparisons, compare_spikes
from hardware.backends.base import RunResult
from hardware.backends.fixed_point import FixedPointBackend
from hardware.counts.operation_counts import NetworkOperations
from hardware.counts.operations import count_operations
from hardware.report.parts import ClipPicture, Table, Trace, clip_picture
from hardware.target import LOIHI2
from snnface.app.answers import answer_names, in_words
from snnface.app.catalog import representation_of
from snnface.app.framing import HOLD_US, Framing
from snnface.app.prepared_network import Prepared, integer_counts, prepare
from snnface.app.recipes import Recipe
from snnface.app.training_view import TrainingView
from snnface.events import EventStream, Resolution, TimeWindow
from snnface.events.statistics import EventStatistics
from snnface.faces.presence import KnownFaces
from snnface.recording import Recording
from snnface.representations.histogram import ON_CHANNEL
from snnface.tasks.valence_arousal import DIMENSIONS

__all__ = ["AnalysedWindow", "AnalysedWindows"]

MAX_PICTURES = 6
MAX_POINTS = 2000
"""Of a curve; of longer ones every so many-th step is drawn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysedWindow:
    """One clip length of the recording that holds events.

    Attributes:
        start_s: from the first event.
        answer, fixed_point_answer: of the float network and of the chip, in words.
        values: the float network's answer, number by number; of one in every step, the mean.
        face_distance: to the nearest known face; see `KnownFaces`.
        has_face: was the face seen, in frames or landmarks, all through the window? None: the
            middle square is shown, and nobody knows.
        shows_face: is it as near to a known face as faces are to each other, and not without a face?
    """

    start_s: float
    num_events: int
    answer: str
    fixed_point_answer: str
    values: Mapping[str, float]
    face_distance: float
    has_face: bool | None
    shows_face: bool


@dataclass(frozen=True, slots=True, eq=False)
class _Shown:
    """A window whose pictures are kept."""

    num_events: int
    start_s: float
    pictures: Float32[np.ndarray, "T C H W"]
    answer: Float64[np.ndarray, " K"]
    run: RunResult


class AnalysedWindows:
    """What the windows add up to; pictures are kept of the busiest few only.

    The head of the recipe's first task is judged. Every window starts from rest, as training clips do.

    Raises:
        UnsupportedLayerError: if the network, or its input, has no form on the chip.
    """

    def __init__(self, recipe: Recipe, model: nn.Module, faces: KnownFaces, name: str, framing: Framing) -> None:
        self.recipe, self.model, self.faces, self.name, self.framing = recipe, model, faces, name, framing
        self.prepared: Prepared = prepare(model, recipe, target=LOIHI2)
        self.statistics = EventStatistics()
        self.windows: list[AnalysedWindow] = []
        self.busiest: list[_Shown] = []
        self.rounding: tuple[SpikeComparison, ...] = ()
        self.operations: NetworkOperations | None = None
        self.resolution: Resolution | None = None
        self._target = recipe.task.target
        self._names = answer_names(recipe)
        self._representation = representation_of(recipe)
        # Valence and arousal in every step: where they stand, and float beside fixed point, [S, 2, K].
        self._curves: list[tuple[float, Float64[np.ndarray, "S 2 K"]]] = []
        self._backend = FixedPointBackend()
        self._program = self._backend.compile(self.prepared.quantized.graph, self.prepared.target)

    def add(self, index: int, events: EventStream, window_us: int) -> None:
        """One window: statistics, then the network."""
        self.statistics.add(events)
        self.resolution = events.resolution
        start_us, start_s = self.statistics.start_us + index * window_us, index * window_us / 1e6
        face = self.framing.framed(events, TrainingView.of(self.recipe).picture)
        recording = Recording(recording_id=self.name, subject="unknown", events=face)
        pictures = self._representation(recording, TimeWindow(start_us, start_us + window_us))
        counts = integer_counts(pictures[:, None], self.prepared.target)
        run = self._backend.run(self._program, counts)
        self._compare(counts, run)
        with torch.inference_mode():
            answers = self.model(torch.from_numpy(pictures)[:, None])[self._target].double().numpy()
        if answers.ndim == 3 and self._names[self._target] == DIMENSIONS:
            self._curves.append((start_s, np.stack([answers[:, 0], run.answers[:, 0]], axis=1)))
        answer, on_chip = _of_clip(answers), _of_clip(run.answers)
        distance = self.faces.distance(torch.from_numpy(pictures))
        has_face = self.framing.shows_face(np.asarray(events.t_us))
        self.windows.append(
            AnalysedWindow(
                start_s=start_s,
                num_events=len(events),
                answer=in_words({self._target: answer}, self._names),
                fixed_point_answer=in_words({self._target: on_chip}, self._names),
                values=dict(zip(self._names[self._target], answer.tolist(), strict=True)),
                face_distance=distance,
                has_face=has_face,
                shows_face=distance <= self.faces.limit and has_face is not False,
            )
        )
        shown = _Shown(len(events), start_s, pictures, answer, run)
        self.busiest = sorted([*self.busiest, shown], key=lambda kept: -kept.num_events)[:MAX_PICTURES]

    def _compare(self, counts: np.ndarray, run: RunResult) -> None:
        exact = simulate(self.prepared.graph, counts)
        operations = count_operations(self.prepared.quantized.graph, counts, run.spikes)
        self.operations = operations if self.operations is None else self.operations.combine(operations)
        self.rounding = added_comparisons([self.rounding, compare_spikes(exact.spikes, run.spikes)])

    @property
    def shows_face(self) -> bool:
        """Does any window look like a face that the model knows?"""
        return any(window.shows_face for window in self.windows)

    def verdict(self) -> str:
        """The same in a clause."""
        if self.framing.squares is None:
            return "perhaps a face" if self.shows_face else "no face that the model could know"
        return "a face" if self.shows_face else "a face, but it moves unlike those that the model knows"

    def sentence(self) -> str:
        """How sure it is that this is a face, and so that the answers mean anything."""
        # Where the face was followed, only windows with it count.
        judged = [window for window in self.windows if window.has_face is not False]
        unseen = len(self.windows) - len(judged)
        unsure = (
            f" In {unseen} of {len(self.windows)} windows there are events more than {HOLD_US / 1e6:g} s from any "
            "frame with the face; these windows are marked and do not count."
            if unseen
            else ""
        )
        if not judged:
            return f"No window of this recording has the face all through; the answers below mean nothing.{unsure}"
        is_followed = self.framing.squares is not None
        nearest = 100 * min(window.face_distance for window in judged)
        limit = f"faces held out of training stay below {100 * self.faces.limit:.0f} % (99th percentile)"
        similar = sum(window.shows_face for window in judged)
        if similar:
            may = "show a face as the model knows them" if is_followed else "may show a face"
            unconfirmed = "" if is_followed else " No face detector has confirmed it."
            return (
                f"{similar} of {len(self.windows)} windows {may}: in the nearest, {nearest:.0f} % of the events lie "
                f"elsewhere than in a face that the model knows; {limit}.{unconfirmed}{unsure}"
            )
        unknown = (
            "The face moves unlike any that the model knows"
            if is_followed
            else "This recording shows no face that the model could know"
        )
        return (
            f"{unknown}: in every window at least {nearest:.0f} % of the events lie elsewhere than in the nearest "
            f"known face; {limit}. The answers below mean nothing.{unsure}"
        )

    def table(self) -> Table:
        """The answers, window by window."""
        is_followed = self.framing.squares is not None
        return Table(
            title="Answers, window by window",
            columns=(
                *("start s", "events"),
                *(("face seen",) if is_followed else ()),
                *("events elsewhere than in a face", "answer", "answer in fixed point"),
            ),
            rows=tuple(
                (
                    *(window.start_s, window.num_events),
                    *(("yes" if window.has_face else "no",) if is_followed else ()),
                    *(f"{100 * window.face_distance:.0f} %", window.answer, window.fixed_point_answer),
                )
                for window in self.windows
            ),
            note="An answer is only worth reading where there is a face. Windows without events are left out.",
        )

    def pictures(self) -> Iterator[ClipPicture]:
        """The busiest windows, in the order of time."""
        for shown in sorted(self.busiest, key=lambda kept: kept.start_s):
            yield clip_picture(
                f"from {shown.start_s:.2f} s",
                shown.pictures,
                shown.answer,
                self._names[self._target],
                on_channel=ON_CHANNEL,
            )

    def traces(self) -> Iterator[Trace]:
        """Valence and arousal over time, of a network that answers in every step."""
        if not self._curves:
            return
        step_s = self._representation.step_us / 1e6
        seconds = np.concatenate([start_s + step_s * np.arange(1, len(rows) + 1) for start_s, rows in self._curves])
        rows = np.concatenate([rows for _, rows in self._curves])
        every = -(-len(rows) // MAX_POINTS)
        for k, name in enumerate(DIMENSIONS):
            series = {"answer": rows[::every, 0, k], "answer in fixed point": rows[::every, 1, k]}
            yield Trace(
                title=name,
                seconds=tuple(seconds[::every].tolist()),
                series={label: tuple(values.tolist()) for label, values in series.items()},
                unit=name,
                note="Every window starts from rest.",
            )


def _of_clip(answers: Float64[np.ndarray, "*T 1 K"]) -> Float64[np.ndarray, " K"]:
    """The answer to a window; of answers in every step, the mean."""
    return answers[..., 0, :].reshape(-1, answers.shape[-1]).mean(0)
