"""Where the eyes look: fixations, and the saccades between them."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from snnface.faces.curves import smoother_ramp

__all__ = ["Gaze", "saccade_us"]

# A fixation lasts at least this long, and this much longer on average.
_SHORTEST_FIXATION_US = 120_000
_LONGER_US = 250_000


def saccade_us(degrees: float) -> int:
    """How long the eyes take for a jump of that size.

    Source: Carpenter 1988, "Movements of the Eyes": 2.2 ms a degree and 21 ms.
    """
    return round(21_000 + 2_200 * degrees)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Gaze:
    """Fixation i ends with saccade i, which begins at `start_us[i]`.

    Attributes:
        start_us, length_us: of each saccade; they do not overlap.
        degrees: of each fixation, to the subject's left and up; one more than saccades.
    """

    start_us: Int64[np.ndarray, " N"]
    length_us: Int64[np.ndarray, " N"]
    degrees: Float64[np.ndarray, "M 2"]

    @classmethod
    def drawn(cls, spread_deg: float, clip_us: int, generator: np.random.Generator) -> "Gaze":
        """Eyes that jump every third of a second or so; fixations lie around straight ahead.

        Args:
            spread_deg: standard deviation of the fixations; cut at two of them, and at what an eye can do.
        """
        limit = np.minimum(2 * spread_deg, [25.0, 18.0])
        degrees, starts, lengths = [_fixation(spread_deg, limit, generator)], [], []
        t = 0
        while True:
            t += _SHORTEST_FIXATION_US + int(generator.exponential(_LONGER_US))
            if t >= clip_us:
                break
            degrees.append(_fixation(spread_deg, limit, generator))
            starts.append(t)
            lengths.append(saccade_us(float(np.linalg.norm(degrees[-1] - degrees[-2]))))
            t += lengths[-1]
        return cls(
            start_us=np.array(starts, np.int64), length_us=np.array(lengths, np.int64), degrees=np.array(degrees)
        )

    def at(self, t_us: Int64[np.ndarray, " T"]) -> Float64[np.ndarray, "T 2"]:
        """Degrees to the subject's left and up over time."""
        if not len(self.start_us):
            return np.repeat(self.degrees, len(t_us), 0)
        last = np.maximum(np.searchsorted(self.start_us, t_us, side="right") - 1, 0)
        done = smoother_ramp((t_us - self.start_us[last]) / self.length_us[last])[:, None]
        return self.degrees[last] * (1 - done) + self.degrees[last + 1] * done


def _fixation(
    spread_deg: float, limit: Float64[np.ndarray, " 2"], generator: np.random.Generator
) -> Float64[np.ndarray, " 2"]:
    # People look about more to the sides than up and down.
    drawn = spread_deg * generator.standard_normal(2) * [1.0, 0.5]
    return np.clip(drawn, -limit, limit)
