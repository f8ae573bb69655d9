"""`snnface export RUN`, `snnface export RUN --onnx`"""

from dataclasses import dataclass, field
from pathlib import Path

import tyro

from conversion.from_snn import graph_from_model
from conversion.nir_export import DEFAULT_DT_S, write_nir
from conversion.onnx_export import require_conventional
from snnface.app.onnx_file import num_steps_of, write_onnx
from snnface.app.options import Maybe, console_for, default_cache, parse
from snnface.app.run import load_run
from snnface.errors import ConfigError

__all__ = ["main"]


@dataclass(frozen=True, kw_only=True)
class Options:
    """Write a trained spiking network as NIR, which snntorch and norse read with the same spikes, or a conventional one
    as ONNX, which onnxruntime answers alike."""

    run: tyro.conf.Positional[Path]
    """A run folder made by `snnface train`."""
    onnx: bool = False
    """ONNX, for conventional networks: every answer an output, any batch size, as many steps as the recipe's clips."""
    out: Maybe[Path] = None
    """The file to write; default: model.nir or model.onnx in the run folder."""
    head: Maybe[str] = None
    """NIR: what the graph answers, of a network that answers several things; default: the first, as in `snnface
    deploy`."""
    dt_s: Maybe[float] = None
    """NIR: length of one step in seconds, which turns leaks into time constants; default: 1e-4."""
    num_steps: Maybe[int] = None
    """ONNX: steps of a clip, fixed in the file; default: those of the recipe's clips, whose data are opened for it."""
    cache: Path = field(default_factory=default_cache)
    """Where synthesised recordings are kept."""


def main(arguments: list[str]) -> None:
    options = parse(Options, arguments, verb="export")
    kind = "onnx" if options.onnx else "nir"
    out = options.out or options.run / f"model.{kind}"
    if out.suffix != f".{kind}":
        hint = "leave out --onnx" if options.onnx else "add --onnx"
        raise ConfigError(f"a .{kind} file is written; got {out.name!r}. Name it {out.stem}.{kind}, or {hint}.")
    if options.onnx and (options.head is not None or options.dt_s is not None):
        raise ConfigError("an ONNX file holds every answer and no length of a step; leave out --head and --dt-s.")
    if not options.onnx and options.num_steps is not None:
        raise ConfigError("a NIR file runs for any number of steps; leave out --num-steps.")
    print(_onnx(options, out) if options.onnx else _nir(options, out))


def _nir(options: Options, out: Path) -> str:
    recipe, model = load_run(options.run)
    graph = graph_from_model(model, head=options.head or recipe.task.target)
    dt_s = DEFAULT_DT_S if options.dt_s is None else options.dt_s
    write_nir(graph, out, dt_s=dt_s)
    num_neurons = sum(population.num_neurons for population in graph.populations)
    return f"{out}: {len(graph.populations)} populations, {num_neurons} neurons, dt {dt_s:g} s"


def _onnx(options: Options, out: Path) -> str:
    recipe, model = load_run(options.run)
    # Before the data are made.
    require_conventional(model)
    num_steps = options.num_steps
    if num_steps is None:
        num_steps = num_steps_of(recipe, cache_dir=options.cache, console=console_for())
    written = write_onnx(recipe, model, out, num_steps=num_steps)
    axes = [f"{name} {list(shape)}" for name, shape in {**written.inputs, **written.outputs}.items()]
    return (
        f"{out}: {', '.join(axes)}; {sum(written.operators.values())} nodes; onnxruntime's answers differ by "
        f"{written.difference:.1e} of the largest"
    )
