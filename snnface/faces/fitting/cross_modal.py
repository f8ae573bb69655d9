"""Labels that cross from one camera to the other: coefficients of frames become labels of event frames."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float64, Int64

from snnface.errors import ConfigError, DataError
from snnface.labels import frame_borders, label_reach, labels_for_steps

__all__ = ["FrameLabels", "event_frame_labels", "same_rate_borders"]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class FrameLabels:
    """One row of numbers an event frame.

    Attributes:
        values: float64 [T, K]; zeros where there is no label.
        present: bool [T].

    Raises:
        DataError: if lengths differ, or a value is not finite.
    """

    values: Float64[np.ndarray, "_ K"]
    present: Bool[np.ndarray, "_"]

    def __post_init__(self) -> None:
        if len(self.values) != len(self.present) or not np.isfinite(self.values).all():
            raise DataError("labels of event frames are finite, with a mask of as many.")

    def __len__(self) -> int:
        return len(self.present)


def same_rate_borders(frame_t_us: Int64[np.ndarray, " F"]) -> Int64[np.ndarray, " M"]:
    """Borders of event frames at the rate of the frames: as many as frames, and label k belongs to event frame k.

    Event frame k holds the events of (t[k-1], t[k]], up to the instant that frame k shows; the first is as
    long as the usual distance of frames.

    Source: Becattini et al. 2024, sec. 5.3: 33 ms of events for each frame of a 30 Hz video.

    Raises:
        DataError: if there are fewer than 2 frames, or their times do not rise.
    """
    if len(frame_t_us) < 2 or (np.diff(frame_t_us) <= 0).any():
        raise DataError(f"event frames between frames need 2 frames or more, with rising times; got {len(frame_t_us)}.")
    usual = int(np.median(np.diff(frame_t_us)))
    return np.concatenate([frame_borders(frame_t_us[:1] - usual), frame_borders(frame_t_us)])


def event_frame_labels(
    alpha: Float64[np.ndarray, "F K"],
    valid: Bool[np.ndarray, "_"],
    frame_t_us: Int64[np.ndarray, "_"],
    at_us: Float64[np.ndarray, " T"] | Int64[np.ndarray, " T"],
    *,
    how: Literal["nearest", "interpolate"] = "nearest",
    reach_us: float | None = None,
) -> FrameLabels:
    """The coefficients at the times of event frames.

    "nearest" takes the frame that is nearest in time; if it has no face, the event frame has no label.
    "interpolate" lies on the straight line between the frame before and the frame after, both of which
    need a face (a frame at the very time is enough alone); nothing is carried beyond the first and last frame.

    Args:
        alpha: of the frames; rows that are not valid may be NaN.
        frame_t_us: times of the frames, strictly increasing, in the clock of the events.
        at_us: times of the event frames, such as `StepTimes.mean_us`.
        reach_us: how far the nearest frame may be; None: the usual distance of frames, so that each event
            frame between them has a label. Half the duration of an event frame leaves most of those of a finer
            rate without, as in the paper. Frames that are more than twice as far apart are not interpolated.

    Raises:
        ConfigError: if `how` is not known, or the reach is negative.
        DataError: if there are not as many masks and times as rows, times do not rise, or a valid row is not finite.

    Source: Becattini et al. 2024, sec. 5.3; interpolation at finer rates is named there as future work.
    """
    if how not in ("nearest", "interpolate"):
        raise ConfigError(f"labels are carried over by nearest or interpolate; got {how!r}.")
    if reach_us is not None and not reach_us >= 0:
        raise ConfigError(f"the reach of a label is at least 0 us; got {reach_us}.")
    if not len(alpha) == len(valid) == len(frame_t_us) or (np.diff(frame_t_us) <= 0).any():
        raise DataError(
            f"coefficients need a mask and rising times of as many frames; got {len(alpha)} rows, {len(valid)} masks "
            f"and {len(frame_t_us)} times."
        )
    if not np.isfinite(alpha[valid]).all():
        raise DataError("coefficients of valid frames must be finite; some are not.")
    reach = label_reach(frame_t_us, 0) if reach_us is None else reach_us
    filled = np.where(valid[:, None], alpha, 0.0)
    if how == "interpolate":
        return _interpolated(filled, valid, frame_t_us, at_us.astype(np.float64), 2 * reach)
    found = labels_for_steps(frame_t_us, at_us, reach_us=reach)
    if not len(alpha):
        return FrameLabels(values=np.zeros((len(at_us), alpha.shape[1])), present=found.present)
    present = found.present & valid[found.row]
    return FrameLabels(values=np.where(present[:, None], filled[found.row], 0.0), present=present)


def _interpolated(
    alpha: np.ndarray, valid: np.ndarray, frame_t_us: np.ndarray, at_us: np.ndarray, longest_us: float
) -> FrameLabels:
    num_frames = len(frame_t_us)
    present = np.zeros(len(at_us), np.bool_)
    if not num_frames:
        return FrameLabels(values=np.zeros((len(at_us), alpha.shape[1])), present=present)
    before = np.clip(np.searchsorted(frame_t_us, at_us, side="right") - 1, 0, num_frames - 1)
    exact = frame_t_us[before] == at_us
    after = np.where(exact, before, np.minimum(before + 1, num_frames - 1))
    apart = frame_t_us[after] - frame_t_us[before]
    inside = (at_us >= frame_t_us[0]) & (at_us <= frame_t_us[-1])
    present = inside & valid[before] & valid[after] & (apart <= longest_us)
    share = np.where(apart > 0, (at_us - frame_t_us[before]) / np.maximum(apart, 1), 0.0)[:, None]
    values = (1 - share) * alpha[before] + share * alpha[after]
    return FrameLabels(values=np.where(present[:, None], values, 0.0), present=present)
