"""A recording as a camera gives it: one event frame after the other through the network, in bounded memory."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32
from torch import nn

from snnface.app.analysis import chosen_framing, clip_length_us
from snnface.app.catalog import representation_of
from snnface.app.framing import CameraRecording, Framing
from snnface.app.recipes import Recipe
from snnface.app.run import load_run
from snnface.app.training_view import TrainingView
from snnface.errors import ConfigError, DataError
from snnface.events import EventStream, Resolution
from snnface.models.face_model import FaceModel
from snnface.representations.event_pictures import EventPictures
from snnface.representations.picture_stream import PictureStream
from snnface.spiking.streaming import StreamingModule

__all__ = ["PARTS", "FaceStream", "Latencies", "StreamSummary", "StreamedFrame"]

PARTS = ("read", "picture", "answer")
"""What a frame's time goes into: events decoded from the file; face cut out and picture drawn; network."""


class Latencies:
    """Times, counted in bins of one percent: quantiles of any number of them in constant memory.

    >>> latencies = Latencies()
    >>> for milliseconds in range(1, 101):
    ...     latencies.add(milliseconds / 1000)
    >>> round(latencies.quantile(0.5), 3), latencies.max
    (0.05, 0.1)
    """

    STEP, SHORTEST_S = math.log(1.01), 1e-7

    def __init__(self) -> None:
        self._counts = np.zeros(math.ceil(math.log(1e4 / self.SHORTEST_S) / self.STEP), np.int64)
        self.max = 0.0

    def add(self, seconds: float) -> None:
        place = int(math.log(max(seconds, self.SHORTEST_S) / self.SHORTEST_S) / self.STEP)
        self._counts[min(place, len(self._counts) - 1)] += 1
        self.max = max(self.max, seconds)

    def quantile(self, share: float) -> float:
        """The time that this share stays within, to one percent, in seconds; 0 of none."""
        if not self._counts.any():
            return 0.0
        wanted = max(1.0, share * int(self._counts.sum()))
        place = int(np.searchsorted(np.cumsum(self._counts), wanted, side="left"))
        return min(self.SHORTEST_S * math.exp((place + 0.5) * self.STEP), self.max)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StreamedFrame:
    """What is known when the events of one frame have come.

    Attributes:
        end_s: the frame's end, from the first event.
        answers: target -> values [K]: the answer to this frame, or to the clip so far. Empty as long as the
            events have not filled a picture.
        ends_clip: the next frame begins a new clip, from rest.
        seconds: what each of PARTS took.
    """

    end_s: float
    num_events: int
    answers: Mapping[str, Float32[np.ndarray, " K"]]
    ends_clip: bool
    seconds: Mapping[str, float]

    @property
    def latency_s(self) -> float:
        """From the frame's last event to the answer: the picture and the network."""
        return self.seconds["picture"] + self.seconds["answer"]


@dataclass
class StreamSummary:
    """What frames add up to, in constant memory.

    Attributes:
        latencies: of each of PARTS, and of "latency", picture and answer together.
        last: the frame that came last.
    """

    num_frames: int = 0
    num_events: int = 0
    latencies: Mapping[str, Latencies] = field(
        default_factory=lambda: {name: Latencies() for name in (*PARTS, "latency")}
    )
    last: StreamedFrame | None = None

    def add(self, frame: StreamedFrame) -> None:
        self.num_frames += 1
        self.num_events += frame.num_events
        self.last = frame
        for name in PARTS:
            self.latencies[name].add(frame.seconds[name])
        self.latencies["latency"].add(frame.latency_s)


@dataclass(frozen=True, slots=True, eq=False)
class FaceStream:
    """A recording, a trained network, and where in the sensor's picture it looks.

    A network that answers clip by clip starts from rest after so many frames as its training clips had, as
    `analyse` has it; one that answers frame by frame goes on. However long the recording, what is kept is
    one piece of the file, the membranes, and the events of an unfinished picture.

    Raises:
        ConfigError: if the network cannot be run frame by frame.
    """

    recipe: Recipe
    model: nn.Module
    recording: CameraRecording
    framing: Framing

    def __post_init__(self) -> None:
        _require_streamable(self.recipe, self.model)

    @classmethod
    def open(
        cls,
        path: Path,
        run: Path,
        *,
        landmarks: Path | None = None,
        finds_face: bool = True,
        resolution: Resolution | None = None,
        recover: bool = False,
        on_progress: Callable[[int, int | None], None] | None = None,
    ) -> "FaceStream":
        """Open a recording as `analyse` does; where there are frames, the face is looked for before the stream begins.

        Raises:
            ConfigError, DatasetNotFoundError, DataError, CheckpointError: as `analyse`.
        """
        recipe, model = load_run(run)
        # Before the face is looked for, which can take long.
        _require_streamable(recipe, model)
        recording = CameraRecording.open(path, resolution=resolution, recover=recover)
        framing = chosen_framing(
            recording, TrainingView.of(recipe), landmarks=landmarks, finds_face=finds_face, on_progress=on_progress
        )
        return cls(recipe, model, recording, framing)

    @property
    def representation(self) -> EventPictures:
        """How events become pictures."""
        representation = representation_of(self.recipe)
        assert isinstance(representation, EventPictures)
        return representation

    @property
    def face_model(self) -> FaceModel:
        """The network."""
        assert isinstance(self.model, FaceModel)
        return self.model

    @property
    def step_s(self) -> float:
        """Duration of a frame."""
        return self.representation.step_us / 1e6

    @property
    def clip_frames(self) -> int | None:
        """After so many frames the network starts from rest; None: it never does."""
        model = self.face_model
        if all(model.temporal_part(name).keeps_steps for name in model.heads):
            return None
        clip_us = clip_length_us(self.recipe)
        return None if clip_us is None else max(1, clip_us // self.representation.step_us)

    def frames(self) -> Iterator[StreamedFrame]:
        """One frame after the other, from the first event on.

        Raises:
            DataError, EventOrderError: as `EventFile.slices`, or if the recording holds no events.
        """
        representation, step_us, clip_frames = self.representation, self.representation.step_us, self.clip_frames
        network, pictures, start_us = _Network(self.face_model), None, 0
        self._warm_up(representation)
        slices, index = iter(self.recording.file.slices(step_us)), 0
        while True:
            began = time.perf_counter()
            events = next(slices, None)
            if events is None:
                break
            was_read = time.perf_counter()
            face = self.framing.framed(events, TrainingView.of(self.recipe).picture)
            if index == 0:
                start_us = int(events.t_us[0])
            if pictures is None:
                pictures = PictureStream(representation, face.resolution, start_us=start_us + index * step_us)
            index += 1
            new = pictures.push(face, until_us=start_us + index * step_us)
            was_drawn = time.perf_counter()
            answers = network.answers(new)
            ends_clip = clip_frames is not None and index % clip_frames == 0
            yield StreamedFrame(
                end_s=index * step_us / 1e6,
                num_events=len(events),
                answers=answers,
                ends_clip=ends_clip,
                seconds={
                    "read": was_read - began,
                    "picture": was_drawn - was_read,
                    "answer": time.perf_counter() - was_drawn,
                },
            )
            if ends_clip:
                network, pictures = _Network(self.face_model), None
        if index == 0:
            raise DataError(f"{self.recording.file.path} holds no events; there is nothing to analyse.")

    def _warm_up(self, representation: EventPictures) -> None:
        """Have loops and kernels compiled before the clock runs."""
        nothing = self.framing.framed(
            EventStream.empty(self.recording.file.resolution), TrainingView.of(self.recipe).picture
        )
        blank = PictureStream(representation, nothing.resolution, start_us=0).push(nothing, until_us=1)
        size: Resolution = representation.resolution
        network = _Network(self.face_model)
        network.answers(blank)
        network.answers(np.zeros((2, representation.num_channels, size.height, size.width), np.float32))


def _require_streamable(recipe: Recipe, model: nn.Module) -> None:
    """Check that events alone, frame by frame, are enough for this network.

    Raises:
        ConfigError: if they are not.
    """
    if not isinstance(model, FaceModel):
        needs = "needs more than events (a picture to start from)"
    elif not isinstance(model.encoder, StreamingModule):
        needs = f"looks at whole clips ({type(model.encoder).__name__})"
    elif not isinstance(representation_of(recipe), EventPictures):
        needs = "was trained on frames, not on events"
    else:
        return
    raise ConfigError(f"{recipe.name} {needs}, so it cannot be run on a stream; choose another run with --model.")


class _Network:
    """The network from rest, and the answers that it last gave."""

    def __init__(self, model: FaceModel) -> None:
        self._model, self._state = model, None
        self._answers: dict[str, Float32[np.ndarray, " K"]] = {}

    def answers(self, pictures: Float32[np.ndarray, "T C H W"]) -> dict[str, Float32[np.ndarray, " K"]]:
        with _one_thread(), torch.inference_mode():
            for picture in torch.from_numpy(pictures):
                answers, self._state = self._model.step(picture[None], self._state)
                self._answers = {name: answer[0].numpy() for name, answer in answers.items()}
        return self._answers


@contextmanager
def _one_thread() -> Iterator[None]:
    """A frame is too little work to share: on a busy machine threads that wait for each other lose 0.1 s."""
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(num_threads)
