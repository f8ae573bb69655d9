"""What a run said: kept beside it, so that every table that shows the run reads the same."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from snnface.app.cross_validation import CrossValidation
from snnface.config import from_json
from snnface.files import read_text
from snnface.tasks.scoring import Measure

__all__ = ["RunRecord", "read_record", "record_path", "scores_of"]

Scores = Mapping[str, Mapping[str, Measure]]


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """A run, its scores and what it took.

    Attributes:
        account: of a real set: what was left out, and why.
        num_folds: of the protocol; `folds` of them were run.
        seconds: of the process that made it, training and testing; of one that went on from another, the rest alone.
        peak_bytes: of memory, where the system tells.
        scores: predictor -> metric -> value and interval over the pooled test clips, "model" first.
    """

    recipe: str
    data: str
    is_synthetic: bool
    account: tuple[str, ...] = ()
    selection: str
    num_folds: int
    folds: tuple[int, ...]
    num_clips: int
    num_subjects: int
    num_parameters: int
    num_epochs: int
    device: str
    precision: str
    seconds: float
    peak_bytes: int | None = None
    scores: Mapping[str, Mapping[str, Measure]] = field(default_factory=dict)


def record_path(folder: Path, folds: tuple[int, ...] | None) -> Path:
    """The record of those folds; None: all."""
    return folder / f"record-{'all' if folds is None else '-'.join(map(str, folds))}.json"


def read_record(folder: Path, folds: tuple[int, ...] | None) -> RunRecord:
    return from_json(RunRecord, read_text(record_path(folder, folds)))


def scores_of(result: CrossValidation, *, num_parameters: int) -> dict[str, dict[str, Measure]]:
    """All scores by name, with those of each class ("recall AU1 inner brow raiser") and the number of parameters."""
    scores = {name: dict(metrics) for name, metrics in result.pooled.items()}
    scores["model"] |= {"parameters": Measure(float(num_parameters))}
    for classes in result.classes.values():
        scores["model"] |= {
            f"recall {name}": Measure(found.recall) for name, found in classes.items() if found.recall is not None
        }
    return scores
