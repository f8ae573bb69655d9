"""A trained ANN as a spiking network, and the command that converts a file.

    python -m conversion.ann2snn --model-file model.json --calibration samples.npz --out graph.npz

The network becomes integrate-and-fire neurons with reset by subtraction that start at half
their threshold and fire at >=; rates then round the ANN's activations. Thresholds come
from calibration samples and are folded into the weights, so that spikes are 1 and every
threshold is 1; average pools and batch norms are folded, too. Nothing but weights and
neurons is left.

Source: Rueckauer et al. 2017, Frontiers in Neuroscience 11:682 (normalisation); Bu et al.
2022, arXiv:2202.01440 (the half-threshold start); Li et al. 2021, arXiv:2106.06984.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from snnface.errors import ConfigError, DataError, SnnfaceError, UnsupportedLayerError

if TYPE_CHECKING:
    from torch import nn

    from conversion.conversion_report import ConversionReport
    from conversion.graph import SpikingGraph

__all__ = ["Ann2SnnConfig", "ConvertCommand", "Converted", "ann2snn", "main"]


@dataclass(frozen=True, kw_only=True)
class Ann2SnnConfig:
    """How thresholds are chosen.

    Attributes:
        steps: the number of steps to convert for ("mmse" and bias correction are for it).
        rule: "mmse" makes T spikes stand for the activations with the least squared error;
            "percentile" takes a percentile of them.
        percentile: for the rule of that name.
        bias_correction: shift every channel's bias so that its mean rate is the ANN's mean.
        report_steps: numbers of steps that the report judges.

    Raises:
        ConfigError: if a number is out of its range.
    """

    steps: int = 16
    rule: Literal["percentile", "mmse"] = "mmse"
    percentile: float = 99.9
    bias_correction: bool = True
    report_steps: tuple[int, ...] = (4, 8, 16, 32)

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ConfigError(f"steps must be at least 1; got {self.steps}.")
        if not 0 < self.percentile <= 100:
            raise ConfigError(f"percentile must lie in 0..100, above 0; got {self.percentile}.")
        if not self.report_steps or min(self.report_steps) < 1:
            raise ConfigError(f"report_steps must name numbers of steps from 1 up; got {self.report_steps}.")


@dataclass(frozen=True, slots=True, eq=False)
class Converted:
    """The spiking graph and the report."""

    graph: "SpikingGraph"
    report: "ConversionReport"


def ann2snn(
    model: "nn.Module",
    calibration: np.ndarray,
    config: Ann2SnnConfig | None = None,
    *,
    evaluation: np.ndarray | None = None,
    labels: np.ndarray | None = None,
) -> Converted:
    """Convert a trained ANN into a spiking graph; the model stays unchanged.

    The graph is fed the ANN's input held over all steps (`simulate.constant_input`), or
    event bins whose mean is the ANN's input; its answer approaches the ANN's.

    Args:
        model: see `conversion.ann_layers.layers_of` for what it may hold.
        calibration: unlabelled samples [B, *input_shape], 256 to 1024; without `evaluation`
            the report judges on them.
        config: None takes the defaults.
        evaluation: other samples for the report.
        labels: class indices of the samples that are judged.

    Raises:
        UnsupportedLayerError: if the model holds something without a spiking form, by name.
        CalibrationError: if the calibration samples give a layer no threshold.
        ShapeError, DataError: if samples or labels do not fit.
    """
    from conversion.ann_layers import layers_of
    from conversion.calibrate import corrected_biases, measured_activations, mmse_threshold, percentile_threshold
    from conversion.conversion_report import ConversionReport, accuracy, ann_answers, quality_per_step
    from conversion.normalise import normalised_graph

    settings = config or Ann2SnnConfig()

    def rule(activations: np.ndarray) -> float:
        if settings.rule == "mmse":
            return mmse_threshold(activations, settings.steps)
        return percentile_threshold(activations, settings.percentile)

    ann = layers_of(model, calibration.shape[1:])
    activations = measured_activations(ann, calibration, rule)
    graph = normalised_graph(
        ann,
        [measured.threshold for measured in activations],
        metadata={"made_by": "ann2snn", "steps": settings.steps, "rule": settings.rule},
    )
    if settings.bias_correction:
        graph = corrected_biases(graph, activations, calibration, num_steps=settings.steps)
    judged = calibration if evaluation is None else evaluation
    answers = ann_answers(ann, judged)
    qualities = quality_per_step(graph, judged, answers, labels=labels, steps=settings.report_steps)
    report = ConversionReport(
        thresholds={layer.name: measured.threshold for layer, measured in zip(ann.layers, activations, strict=True)},
        removed=ann.removed,
        num_calibration=len(calibration),
        ann_accuracy=None if labels is None else accuracy(answers, labels),
        qualities=qualities,
    )
    return Converted(graph, report)


@dataclass(frozen=True, kw_only=True)
class ConvertCommand(Ann2SnnConfig):
    """Convert a trained ANN into a spiking graph, and judge it after several numbers of steps.

    Attributes:
        model_file: the ANN's .json, with a .safetensors of the same name beside it.
        calibration: .npz with `inputs` [B, ...] and, for accuracies, `labels` [B].
        evaluation: another such file to judge on; the calibration samples if left out.
        out: where the spiking graph goes (.npz).
        json: print the report as JSON.
    """

    model_file: Path
    calibration: Path
    out: Path
    evaluation: Path | None = None
    json: bool = False


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status (1 for an error, which is one line on stderr)."""
    import tyro

    try:
        command = tyro.cli(ConvertCommand, prog="python -m conversion.ann2snn", args=arguments)
        sys.stdout.write(_convert_file(command))
    except (SnnfaceError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


def _convert_file(command: ConvertCommand) -> str:
    if command.out.suffix == ".nir":
        raise UnsupportedLayerError(
            "a converted network resets by subtraction and starts at half its threshold, which NIR's IF and LIF cannot "
            "say; written as plain IF it would lose most of its accuracy. Give --out a name that ends in .npz."
        )
    if command.out.suffix != ".npz":
        raise ConfigError(f"--out must end in .npz; got {str(command.out)!r}.")
    from conversion.graph_io import save_graph
    from conversion.sequential_file import load_sequential

    model, input_shape = load_sequential(command.model_file)
    calibration, labels = _samples(command.calibration, input_shape)
    evaluation = None
    if command.evaluation is not None:
        evaluation, labels = _samples(command.evaluation, input_shape)
    converted = ann2snn(model, calibration, command, evaluation=evaluation, labels=labels)
    save_graph(converted.graph, command.out)
    return _text(converted.report, command)


def _samples(path: Path, input_shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray | None]:
    from conversion.array_file import read_arrays

    arrays = read_arrays(path)
    if "inputs" not in arrays or arrays.keys() - {"inputs", "labels"}:
        raise DataError(f"'{path.name}' must hold `inputs` and may hold `labels`; it holds {', '.join(arrays)}.")
    inputs, labels = arrays["inputs"], arrays.get("labels")
    if inputs.dtype.kind not in "fiu" or inputs.shape[1:] != input_shape or not len(inputs):
        raise DataError(
            f"`inputs` of '{path.name}' must be numbers [B, {', '.join(map(str, input_shape))}]; "
            f"got {inputs.dtype} {list(inputs.shape)}."
        )
    if labels is not None and (labels.dtype.kind not in "iu" or labels.shape != (len(inputs),)):
        raise DataError(f"`labels` of '{path.name}' must be {len(inputs)} class indices; got {list(labels.shape)}.")
    return inputs, labels


def _text(report: "ConversionReport", command: ConvertCommand) -> str:
    if command.json:
        return json.dumps(asdict(report), indent=2) + "\n"
    judged = command.calibration if command.evaluation is None else command.evaluation
    lines = [
        f"calibrated on {report.num_calibration} samples for {command.steps} steps; wrote {command.out}",
        *(f"removed {line}" for line in report.removed),
        *(f"{name}: one spike stands for {value:.4g}" for name, value in report.thresholds.items()),
        f"on {judged.name}:" + ("" if report.ann_accuracy is None else f" ANN accuracy {report.ann_accuracy:.1%}"),
    ]
    for quality in report.qualities:
        parts = [] if quality.accuracy is None else [f"accuracy {quality.accuracy:.1%}"]
        parts += [f"agreement with the ANN {quality.agreement:.1%}", f"mean answer error {quality.answer_error:.3g}"]
        parts += [f"spikes per neuron and step {np.mean(list(quality.rates.values())):.3f}"]
        lines.append(f"T = {quality.num_steps}: " + ", ".join(parts))
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
