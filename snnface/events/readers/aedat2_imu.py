"""Samples of the inertial sensor of DAVIS cameras in AEDAT 2.0 files: seven words each.

    bits 28..30    what: 0, 1, 2 acceleration x, y, z; 3 temperature; 4, 5, 6 rotation x, y, z
    bits 12..27    its value, signed

Source: iniVation, "AEDAT 2.0" file format; jAER and AedatTools (their constants for the InvenSense MPU-6150).
"""

import numpy as np

from snnface.events.sensor_data import ImuSamples

__all__ = ["ImuBuilder", "imu_samples"]

WORDS = 7
# The file does not state the sensor's ranges; these are jAER's and AedatTools' own: 4 g, 500 degrees a second.
G_PER_STEP = 1 / 8192
DEG_S_PER_STEP = 1 / 65.5
CELSIUS_PER_STEP, CELSIUS_AT_ZERO = 1 / 340, 35


class ImuBuilder:
    """Words in, in file order; whole samples out. A sample of which a word is missing is left out."""

    def __init__(self) -> None:
        self._words, self._t_us = np.empty(0, np.uint32), np.empty(0, np.int64)

    def push(self, words: np.ndarray, t_us: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The samples that these words (uint32 [N], int64 [N]) complete.

        Returns:
            raw values int16 [M, 7]; times of the first words int64 [M].
        """
        words, t_us = np.concatenate([self._words, words]), np.concatenate([self._t_us, t_us])
        # A sample that goes on in the next words begins within the last six.
        self._words, self._t_us = words[-(WORDS - 1) :], t_us[-(WORDS - 1) :]
        if len(words) < WORDS:
            return np.empty((0, WORDS), np.int16), np.empty(0, np.int64)
        runs = np.lib.stride_tricks.sliding_window_view(words, WORDS)
        starts = np.flatnonzero((runs >> 28 & 7 == np.arange(WORDS)).all(axis=1))
        return (runs[starts] >> 12).astype(np.uint16).view(np.int16), t_us[starts]


def imu_samples(values: np.ndarray, t_us: np.ndarray) -> ImuSamples:
    """Raw values (int16 [N, 7]) with their times (int64 [N]), in units of nature."""
    return ImuSamples(
        t_us=t_us,
        acceleration_g=(values[:, :3] * G_PER_STEP).astype(np.float32),
        rotation_deg_s=(values[:, 4:] * DEG_S_PER_STEP).astype(np.float32),
        temperature_c=(values[:, 3] * CELSIUS_PER_STEP + CELSIUS_AT_ZERO).astype(np.float32),
    )
