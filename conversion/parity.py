"""The command that runs one network in two tools and says where they part.

python -m conversion.parity nir:model.nir snntorch:model.nir
python -m conversion.parity model.json fixed-point:model.json --steps 75 --json

Its exit status is 0 where all spikes are the same (or, without spikes, all answers), 1 where
not, 2 where the two cannot be compared.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from conversion.parity_inputs import InputConfig
from conversion.spike_comparison import mismatch_summary
from snnface.errors import SnnfaceError
from snnface.streams import run_command

if TYPE_CHECKING:
    from conversion.run_comparison import FirstDifference, RunComparison

__all__ = ["ParityCommand", "main"]


@dataclass(frozen=True, kw_only=True)
class ParityCommand(InputConfig):
    """Run one network in two tools on the same input, and compare them spike for spike.

    Attributes:
        a: tool:path. Tools: nir and graph (this project's simulator, of .nir and .json), snntorch, norse, fixed-point,
            lava, torch (a run folder), onnx (onnxruntime), ann (an .onnx as this project reads it, or the .json of a
            Sequential). A path alone takes the tool of its ending.
        b: the same.
        dt_s: the length of a step in seconds, for NIR files that do not say it.
        json: print the comparison as JSON.
    """

    a: str
    b: str
    dt_s: float | None = None
    json: bool = False


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    return run_command(lambda: _run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    import tyro

    command = tyro.cli(
        ParityCommand, prog="python -m conversion.parity", args=arguments, config=(tyro.conf.PositionalRequiredArgs,)
    )
    try:
        comparison = _compared(command)
    except (SnnfaceError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    sys.stdout.write(_json(comparison, command) if command.json else _text(comparison, command))
    return 0 if comparison.is_identical else 1


def _compared(command: ParityCommand) -> "RunComparison":
    from conversion.parity_inputs import inputs_for, shown_to
    from conversion.run_comparison import compare_runs
    from conversion.runners.catalog import open_runner

    a, b = (open_runner(text, dt_s=command.dt_s) for text in (command.a, command.b))
    inputs = inputs_for(a, b, command)
    return compare_runs(a.run(shown_to(a, inputs)), b.run(shown_to(b, inputs)))


def _json(comparison: "RunComparison", command: ParityCommand) -> str:
    told = {"a": command.a, "b": command.b, "is_identical": comparison.is_identical, **asdict(comparison)}
    return json.dumps(told, indent=2) + "\n"


def _text(comparison: "RunComparison", command: ParityCommand) -> str:
    lines = [f"a = {command.a}", f"b = {command.b}"]
    if comparison.populations:
        lines.append(mismatch_summary(comparison.populations))
    if comparison.first is not None:
        lines.append(_first_text(comparison.first))
    lines += [
        f"answer {answer.name}: differs by at most {answer.largest_difference:.3g}, "
        f"{answer.relative_difference:.2g} of the largest"
        if answer.largest_difference is not None
        else f"answer {answer.name}: {list(answer.shape_a)} in a, {list(answer.shape_b)} in b"
        for answer in comparison.answers
    ]
    lines += [f"note: {note}" for note in comparison.notes]
    lines.append("identical" if comparison.is_identical else "different")
    return "\n".join(lines) + "\n"


def _first_text(first: "FirstDifference") -> str:
    potentials = ", ".join(
        f"potential {side} {value:.9g}"
        for side, value in (("a", first.potential_a), ("b", first.potential_b))
        if value is not None
    )
    return (
        f"first difference: {first.population}, step {first.step}, sample {first.sample}, neuron "
        f"{list(first.neuron)}: spike a {first.spike_a}, b {first.spike_b}" + (f"; {potentials}" if potentials else "")
    )


if __name__ == "__main__":
    sys.exit(main())
