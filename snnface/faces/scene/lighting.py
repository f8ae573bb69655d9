"""How much light there is, and how it varies over time."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int64

from snnface.errors import ConfigError
from snnface.faces.scene.picture_loops import light_up

__all__ = ["Lighting"]


@dataclass(frozen=True, kw_only=True)
class Lighting:
    """The level of the light, mains flicker, and slow drift; the same over the whole picture.

    Attributes:
        lux: on the face.
        flicker: (brightest - darkest) / (brightest + darkest) of a period, 0..0.2.
        flicker_hz: twice the mains frequency.
        flicker_phase: in radians at time 0; likewise `drift_phase`.
        drift: likewise for the drift, 0..0.2.
        drift_hz: of the drift.
    """

    lux: float = 1000.0
    flicker: float = 0.0
    flicker_hz: float = 100.0
    flicker_phase: float = 0.0
    drift: float = 0.0
    drift_hz: float = 0.05
    drift_phase: float = 0.0

    def __post_init__(self) -> None:
        if not 1 <= self.lux <= 100_000:
            raise ConfigError(f"lux must be 1..100000; got {self.lux}.")
        for name in ("flicker", "drift"):
            if not 0 <= getattr(self, name) <= 0.2:
                raise ConfigError(f"{name} is a share of the light, 0..0.2; got {getattr(self, name)}.")
        if self.flicker_hz <= 0 or self.drift_hz <= 0:
            raise ConfigError("flicker_hz and drift_hz must be positive.")

    @classmethod
    def drawn(
        cls, lux: tuple[float, float], *, flicker: float, drift: float, generator: np.random.Generator
    ) -> "Lighting":
        """A random level between two, and flicker and drift of up to so much."""
        phases = generator.uniform(0, 2 * np.pi, 2)
        return cls(
            lux=float(np.exp(generator.uniform(*np.log(lux)))),
            flicker=float(generator.uniform(0, flicker)),
            flicker_hz=float(generator.choice([100.0, 120.0])),
            flicker_phase=float(phases[0]),
            drift=float(generator.uniform(0, drift)),
            drift_hz=float(generator.uniform(0.02, 0.1)),
            drift_phase=float(phases[1]),
        )

    @property
    def frame_step_us(self) -> int | None:
        """Frames this far apart follow the light, to 5 % of its amplitude; None: it never changes."""
        if self.flicker:
            return int(1e6 / (10 * self.flicker_hz))
        return 20_000 if self.drift else None

    def gain(self, t_us: Int64[np.ndarray, " T"]) -> Float64[np.ndarray, " T"]:
        """The light over time as a share of its maximum, at which the camera's range ends."""
        flicker = 1 + self.flicker * np.cos(2e-6 * np.pi * self.flicker_hz * t_us + self.flicker_phase)
        drift = 1 + self.drift * np.cos(2e-6 * np.pi * self.drift_hz * t_us + self.drift_phase)
        return flicker * drift / ((1 + self.flicker) * (1 + self.drift))

    def on(
        self, steady: Iterable[tuple[Int64[np.ndarray, " T"], Float32[np.ndarray, "T H W"]]], block: int
    ) -> Iterator[tuple[Int64[np.ndarray, " N"], Float32[np.ndarray, "N H W"]]]:
        """Pictures in this light, from pictures in steady light.

        Where the light changes faster than the scene, there are pictures between pictures,
        linear in time. How the pictures are cut into pieces changes nothing.

        Args:
            steady: times and pictures, piece by piece.
            block: pictures in a piece of the answer, at most.
        """
        step_us = self.frame_step_us
        if step_us is None:
            yield from steady
            return
        last_us, last = None, None
        for times, pictures in steady:
            if last is not None:
                times, pictures = np.concatenate([last_us, times]), np.concatenate([last, pictures])
            ticks = np.arange(times[0] // step_us + 1, times[-1] // step_us + 1) * step_us
            t_us = np.union1d(times, ticks)
            if last is not None:
                t_us = t_us[t_us > times[0]]
            for start in range(0, len(t_us), block):
                part = t_us[start : start + block]
                yield part, self._lit(times, pictures, part)
            last_us, last = times[-1:], pictures[-1:].copy()

    def _lit(
        self,
        times: Int64[np.ndarray, " T"],
        pictures: Float32[np.ndarray, "T H W"],
        t_us: Int64[np.ndarray, " N"],
    ) -> Float32[np.ndarray, "N H W"]:
        index = np.searchsorted(times, t_us, side="right") - 1
        ends = times[np.minimum(index + 1, len(times) - 1)]
        share = (t_us - times[index]) / np.maximum(ends - times[index], 1)
        lit = np.empty((len(t_us), *pictures.shape[1:]), dtype=np.float32)
        light_up(pictures, index, share, self.gain(t_us).astype(np.float32), lit)
        return lit
