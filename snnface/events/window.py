"""Sizes and time spans: the two small types that everything about sensors needs."""

from collections.abc import Iterator
from dataclasses import dataclass

from snnface.errors import ConfigError

__all__ = ["Resolution", "TimeWindow"]


@dataclass(frozen=True, slots=True, order=True)
class Resolution:
    """Size of a sensor or picture in pixels, rows first.

    >>> str(Resolution(height=260, width=346))
    '346x260'

    Raises:
        ConfigError: if a side is not between 1 and 65535 (coordinates are uint16).
    """

    height: int
    width: int

    def __post_init__(self) -> None:
        if not (1 <= self.height <= 65535 and 1 <= self.width <= 65535):
            raise ConfigError(f"a resolution needs sides of 1..65535 pixels; got {self.width}x{self.height}.")

    @property
    def num_pixels(self) -> int:
        return self.height * self.width

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


@dataclass(frozen=True, slots=True, order=True)
class TimeWindow:
    """The half-open span [start_us, end_us) in microseconds.

    Adjacent windows share no event and lose none. An empty window (start = end) is valid.

    Raises:
        ConfigError: if the end lies before the start.
    """

    start_us: int
    end_us: int

    def __post_init__(self) -> None:
        if self.end_us < self.start_us:
            raise ConfigError(f"a time window must not end before it starts; got [{self.start_us}, {self.end_us}) us.")

    @property
    def duration_us(self) -> int:
        return self.end_us - self.start_us

    def steps(self, step_us: int) -> Iterator["TimeWindow"]:
        """Cut into consecutive windows of `step_us`; a shorter rest at the end is left out.

        >>> [w.start_us for w in TimeWindow(0, 100).steps(33)]
        [0, 33, 66]
        """
        for index in range(self.num_steps(step_us)):
            start = self.start_us + index * step_us
            yield TimeWindow(start, start + step_us)

    def num_steps(self, step_us: int) -> int:
        """How many whole steps of `step_us` fit.

        Raises:
            ConfigError: if the step is not positive.
        """
        if step_us < 1:
            raise ConfigError(f"a time step must be at least 1 us; got {step_us}.")
        return self.duration_us // step_us
