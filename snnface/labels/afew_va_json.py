"""The annotation of one video as AFEW-VA ships it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snnface.errors import DataError
from snnface.files import read_text

__all__ = ["AfewVaAnnotation", "read_afew_va"]

MAX_DIGITS = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class AfewVaAnnotation:
    """What the file says, values as they stand there.

    Attributes:
        frames: number of the frame -> its name in the file, and name -> value of each of its
            labels (valence, arousal, landmarks); in the order of the numbers.
        actor: who is seen, empty if the file does not say.
    """

    frames: Mapping[int, tuple[str, Mapping[str, Any]]]
    actor: str


def read_afew_va(path: Path) -> AfewVaAnnotation:
    """Read {"actor": ..., "frames": {"00000": {"valence": ..., "arousal": ..., "landmarks": ...}}}.

    Source: Kossaifi et al. 2017, AFEW-VA database for valence and arousal estimation in-the-wild.

    Raises:
        DataError: if it is not UTF-8 or no JSON (with the line), is in another layout, or names a frame twice.
    """
    expected = f'{path} should hold labels in the layout of AFEW-VA, {{"frames": {{"00000": ...}}}}'
    try:
        content = json.loads(read_text(path).removeprefix("\ufeff"), object_pairs_hook=_without_repeats)
    except json.JSONDecodeError as error:
        raise DataError(f"{expected}; line {error.lineno} is no JSON ({error.msg}). Copy the file again.") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{expected}; it cannot be read ({error}).") from error
    frames = content.get("frames") if isinstance(content, dict) else None
    if not isinstance(frames, dict) or not all(
        name.isdecimal() and len(name) <= MAX_DIGITS and isinstance(values, dict) for name, values in frames.items()
    ):
        raise DataError(f"{expected}; it holds something else.")
    by_number = {int(name): (name, values) for name, values in sorted(frames.items(), key=lambda item: int(item[0]))}
    if len(by_number) < len(frames):
        raise DataError(f"{expected}; {len(frames) - len(by_number)} frames are there twice, as in '1' and '01'.")
    return AfewVaAnnotation(frames=by_number, actor=str(content.get("actor") or "").strip())


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """JSON allows a key twice, and the last one would win."""
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} is there twice")
    return content
