"""The command that turns a trained ANN into a spiking network; `conversion.convert` does the work.

python -m conversion.ann2snn --model ann.onnx --data samples.npz --steps 8 --out converted
python -m conversion.ann2snn --model runs/resnet18 --max-pool average --steps 8 --out converted
"""

import datetime
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from conversion.ann.sources import AnnSource, OwnData, Samples, open_source
from conversion.convert import ConvertConfig, Converted
from snnface.errors import ConfigError, DataError, SnnfaceError
from snnface.streams import run_command

if TYPE_CHECKING:
    from conversion.conversion_report import AnswerQuality
    from conversion.graph import SpikingGraph
    from conversion.report_values import Conversion

__all__ = ["ConvertCommand", "main"]

_PROGRAM = "python -m conversion.ann2snn"


@dataclass(frozen=True, kw_only=True)
class ConvertCommand(ConvertConfig):
    """Convert a trained ANN into a spiking network, and judge it after several numbers of steps.

    Attributes:
        model: a run folder of `snnface train`, which brings its data along; .onnx; .json with .safetensors beside it
            (conversion.sequential_file); or a state dict, .safetensors or of torch.save, with --architecture.
        out: the folder for networks (JSON and safetensors, NIR, ONNX) and report (HTML, JSON); a new one.
        data: calibration samples, an .npz with `inputs` [B, ...] and, to be judged on, `labels`.
        training: another such file to fine-tune on; without it nothing is trained.
        evaluation: another such file to judge on; the calibration samples if left out.
        architecture: of a state dict: resnet18, resnet34, resnet50, resnet101, or package.module:callable.
        portable: also make a network that resets to zero, NIR's plain IF, tuned through its steps.
        json: print the report as JSON.
    """

    model: Path
    out: Path
    data: Path | None = None
    training: Path | None = None
    evaluation: Path | None = None
    architecture: str | None = None
    portable: bool = False
    json: bool = False


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status (1 for an error, which is one line on stderr)."""
    given = sys.argv[1:] if arguments is None else arguments
    return run_command(lambda: _run(given))


def _run(given: Sequence[str]) -> int:
    import tyro

    try:
        command = tyro.cli(ConvertCommand, prog=_PROGRAM, args=given)
        sys.stdout.write(_converted(command, given))
    except BrokenPipeError:
        raise
    except (SnnfaceError, OSError) as error:
        sys.stderr.write(f"error: {' '.join(str(error).split())}\n")
        return 1
    return 0


@dataclass(frozen=True, slots=True)
class _Shown:
    """The samples of a conversion; `evaluation` may be those of the calibration."""

    calibration: Samples
    training: Samples | None
    evaluation: Samples


def _converted(command: ConvertCommand, given: Sequence[str]) -> str:
    from conversion.conversion_folder import require_free, write_conversion
    from conversion.report_values import Conversion, conversion_values

    require_free(command.out)
    files = _files(command)
    source = open_source(
        command.model,
        architecture=command.architecture,
        input_shape=None if files is None else files.calibration.inputs.shape[1:],
    )
    shown = _shown(command, source, files)
    settings = command if source.own is None else replace(command, task=source.own.task)
    if command.portable and shown.training is None:
        raise ConfigError("--portable tunes a second network through its steps; give samples for it as --training.")
    made = _made(source, shown, settings)
    portable = None
    if command.portable:
        tuned = replace(settings, neuron="hard", method="steps", two_phase="none", loihi2=())
        portable = _made(source, shown, replace(tuned, report_steps=(command.steps,)))
    conversion = Conversion(
        name=command.model.name,
        data=_data_name(command, source),
        is_synthetic=source.own is not None and source.own.is_synthetic,
        graph=made.graph,
        report=made.report,
        portable=None if portable is None else portable.report,
        scores={} if source.own is None else _scores(source, source.own, made.graph, command.steps),
        notes=source.notes,
        provenance={
            "command": f"{_PROGRAM} {shlex.join(given)}",
            "date": datetime.date.today().isoformat(),
            "seed": str(command.seed),
            **{name: version(name) for name in ("snnface", "torch", "numpy")},
        },
    )
    conversion = write_conversion(
        conversion,
        command.out,
        model=source.model,
        samples=shown.evaluation.inputs,
        portable=None if portable is None else portable.graph,
        is_for_events=source.own is not None and source.own.event_bins(command.steps) is not None,
    )
    return conversion_values(conversion) if command.json else _text(conversion, command)


def _made(source: AnnSource, shown: _Shown, settings: ConvertConfig) -> Converted:
    from conversion.convert import convert

    return convert(
        source.model,
        shown.calibration.inputs,
        settings,
        training=None if shown.training is None else shown.training.inputs,
        training_labels=None if shown.training is None else shown.training.labels,
        evaluation=shown.evaluation.inputs,
        labels=shown.evaluation.labels,
    )


def _files(command: ConvertCommand) -> _Shown | None:
    """The samples of the files that are named."""
    if command.data is not None and command.model.is_dir():
        raise ConfigError(f"{str(command.model)!r} is a run folder, whose data are used; leave out --data.")
    if command.data is None:
        if command.training is not None or command.evaluation is not None:
            raise ConfigError("--training and --evaluation go with --data, the samples to calibrate on.")
        return None
    calibration = _samples(command.data)
    return _Shown(
        calibration,
        None if command.training is None else _samples(command.training),
        calibration if command.evaluation is None else _samples(command.evaluation),
    )


def _shown(command: ConvertCommand, source: AnnSource, files: _Shown | None) -> _Shown:
    if source.own is not None:
        return _Shown(source.own.calibration, source.own.training, source.own.evaluation)
    if files is None:
        raise ConfigError(f"'{command.model.name}' brings no samples along; give some to calibrate on as --data.")
    return files


def _samples(path: Path) -> Samples:
    from conversion.array_file import read_arrays

    arrays = read_arrays(path)
    if "inputs" not in arrays or arrays.keys() - {"inputs", "labels"}:
        raise DataError(
            f"'{path.name}' must hold `inputs` and may hold `labels`; it holds {', '.join(arrays) or 'nothing'}."
        )
    inputs = arrays["inputs"]
    if inputs.dtype.kind not in "fiub" or inputs.ndim not in (2, 4) or not len(inputs):
        raise DataError(
            f"`inputs` of '{path.name}' must be numbers [B, C, H, W] or [B, N]; got {inputs.dtype} "
            f"{list(inputs.shape)}."
        )
    return Samples(inputs, arrays.get("labels"))


def _data_name(command: ConvertCommand, source: AnnSource) -> str:
    if source.own is not None:
        return source.own.name
    judged = command.data if command.evaluation is None else command.evaluation
    return "" if judged is None else judged.name


def _scores(source: AnnSource, own: OwnData, graph: "SpikingGraph", steps: int) -> dict[str, dict[str, float]]:
    """What the run's own task says of the ANN, and of the network after its steps."""
    from conversion.calibration.samples import in_pieces
    from conversion.event_input import for_event_bins
    from conversion.simulate import constant_input, simulate

    inputs = own.evaluation.inputs
    held = simulate(graph, constant_input(inputs, steps), keep=(), precision="float32").answers
    found = {"ANN": own.scores(in_pieces(source.model)(inputs)), f"T = {steps}": own.scores(held)}
    if (pieces := own.event_bins(steps)) is not None:
        fed = for_event_bins(graph, steps)
        answers = [simulate(fed, piece, keep=(), precision="float32").answers for piece in pieces]
        found[f"T = {steps}, shown events"] = own.scores(np.concatenate(answers))
    return {network: dict(scores) for network, scores in found.items()}


def _text(conversion: "Conversion", command: ConvertCommand) -> str:
    from conversion.report_values import mean_rate

    report = conversion.report
    lines = [
        f"calibrated on {report.num_calibration} samples for {report.steps} steps",
        f"method {report.method}: {report.reason}",
        *report.removed,
        *conversion.notes,
        *(f"{name}: one spike stands for {np.mean(value):.4g}" for name, value in report.thresholds.items()),
        f"on {conversion.data}: the ANN itself: {_said(report.ann)}",
    ]
    for quality in report.qualities:
        rate = f"spikes per neuron and step {mean_rate(quality, conversion.graph):.3f}"
        lines.append(f"T = {quality.num_steps}: {_said(quality.answers)}, {rate}")
    if conversion.portable is not None:
        quality = conversion.portable.at(report.steps)
        lines.append(f"portable, resets to zero, T = {quality.num_steps}: {_said(quality.answers)}")
    lines += [
        f"{network}: {', '.join(f'{name} {value:.4g}' for name, value in found.items())}"
        for network, found in conversion.scores.items()
    ]
    wrote = ", ".join(conversion.files)
    return "\n".join([*lines, *report.falls, f"wrote {command.out}: {wrote}, report.html"]) + "\n"


def _said(quality: "AnswerQuality") -> str:
    parts = [] if quality.accuracy is None else [f"accuracy {quality.accuracy:.1%}"]
    if quality.rmse is not None and quality.ccc is not None:
        parts += [f"RMSE {np.mean(quality.rmse):.4g}", f"CCC {np.mean(quality.ccc):.3f}"]
    if quality.agreement is not None:
        parts.append(f"agreement with the ANN {quality.agreement:.1%}")
    return ", ".join([*parts, f"mean answer error {quality.answer_error:.3g}"])


if __name__ == "__main__":
    sys.exit(main())
