"""v2e's emulator, where v2e is installed."""

from collections.abc import Callable
from importlib.util import find_spec

import numpy as np

from snnface.events.emulator import EmulatorConfig

__all__ = ["Film", "emulators"]


class Film:
    """Frames that are shown over and over again at 1 kHz, the time going on."""

    def __init__(self, frames: np.ndarray) -> None:
        self.frames = frames
        self._shown = 0

    def next_times(self) -> np.ndarray:
        """The times of the next showing, in microseconds."""
        first, self._shown = self._shown, self._shown + len(self.frames)
        return np.arange(first, self._shown, dtype=np.int64) * 1000


def emulators(film: Film, config: EmulatorConfig) -> dict[str, Callable[[], int]]:
    """v2e's `EventEmulator`, frame by frame on the processor, as its command drives it; answers with events."""
    if find_spec("v2ecore") is None:
        return {}
    from v2ecore.emulator import EventEmulator

    film = Film(film.frames)
    emulator = EventEmulator(
        pos_thres=config.theta_on,
        neg_thres=config.theta_off,
        sigma_thres=config.threshold_spread,
        cutoff_hz=config.cutoff_hz,
        leak_rate_hz=config.leak_rate_hz,
        leak_jitter_fraction=config.leak_jitter,
        noise_rate_cov_decades=config.leak_spread_decades,
        shot_noise_rate_hz=config.shot_noise_rate_hz,
        refractory_period_s=config.refractory_us / 1e6,
        seed=1,
        output_width=film.frames.shape[2],
        output_height=film.frames.shape[1],
        device="cpu",
    )

    def run() -> int:
        found = [emulator.generate_events(f, t / 1e6) for f, t in zip(film.frames, film.next_times(), strict=True)]
        return sum(len(events) for events in found if events is not None)

    return {"v2e": run}
