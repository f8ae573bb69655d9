"""A spiking network that came as a file, taken to the chip: a .nir of any tool, or a converted network's .json.

There is no recipe, no split and no label behind a file: spikes are compared and roundings measured; answers are not
judged.
"""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from conversion.graph import SpikingGraph
from conversion.integer_graph import IntegerGraph
from conversion.nir_export import write_nir
from conversion.parity_inputs import InputConfig, inputs_for
from conversion.quantisation_report import QuantisationReport, StepMeter
from conversion.quantize import QuantizeConfig, QuantizedLayer, quantize
from conversion.runners.graph_runner import GraphRunner, load_spiking_graph
from hardware.backends.fixed_point import FixedPointBackend
from hardware.mapping.resources import ChipFit, chip_fit
from hardware.target import TARGETS, HardwareTarget
from snnface.app.deployment import DeploymentConfig
from snnface.app.parity_table import ParityRow, parity_rows
from snnface.app.prepared_network import Prepared, integer_counts
from snnface.app.referees import NotRun, fixed_point_run, lava_referee, netx_referee
from snnface.errors import ConfigError, UnsupportedLayerError

__all__ = ["FileDeployment", "deploy_file"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileDeployment:
    """What a file's network is on the chip; plain values.

    Attributes:
        inputs: what was shown, in words.
        quantized, steps, fits: none where the network has no form in integers; its row in `parity` says why.
    """

    name: str
    target: str
    inputs: str
    parity: tuple[ParityRow, ...]
    quantized: tuple[QuantizedLayer, ...] = ()
    steps: QuantisationReport | None = None
    fits: tuple[ChipFit, ...] = ()
    warnings: tuple[str, ...] = ()


def deploy_file(
    path: Path, *, config: DeploymentConfig | None = None, shown: InputConfig | None = None, dt_s: float | None = None
) -> FileDeployment:
    """Quantise the network in a .nir or .json file, and run it in every tool that reads it.

    Args:
        config: `parity_clips` and `step_clips` do not count: all samples of `shown` are run.
        shown: the input; None draws spikes at random.
        dt_s: the length of a step in seconds, for NIR files that do not say it.

    Raises:
        DatasetNotFoundError, DataError, ConversionError: if the file cannot be read, or holds what is no chain or
            tree of known layers; as the readers.
        ConfigError: if scales are to be searched, for which clips of a run are needed.
        ShapeError, UnsupportedLayerError: if the input does not fit the network, or the chip's messages.
    """
    config, shown = config or DeploymentConfig(), shown or InputConfig()
    if config.scaling.scale == "search":
        raise ConfigError(
            "scales are searched on the validation clips of a run, and a file has none; choose scale 'max' or "
            "'percentile', or deploy the run folder."
        )
    graph, target = load_spiking_graph(path, dt_s), TARGETS[config.target]
    runner = GraphRunner(graph)
    counts = integer_counts(inputs_for(runner, runner, shown).astype(np.float32), target)
    said = "spikes drawn at random" if shown.inputs is None else shown.inputs.name
    said = f"{said}: {counts.shape[1]} samples of {counts.shape[0]} steps"
    with tempfile.TemporaryDirectory() as work:
        nir_path = _nir_file(graph, path, Path(work))
        try:
            prepared = _prepared(graph, target, config, peak=int(counts.max()))
        except UnsupportedLayerError as error:
            rows = parity_rows(graph, counts, nir_path=nir_path, trained=None, fixed=NotRun(str(error)))
            return FileDeployment(name=path.name, target=config.target, inputs=said, parity=rows)
        few = counts[:, : config.lava_clips]
        fixed_of_few = fixed_point_run(prepared, few)
        rows = parity_rows(
            graph,
            counts,
            nir_path=nir_path,
            trained=None,
            fixed=fixed_point_run(prepared, counts),
            referees=[referee(prepared, few, fixed_of_few) for referee in (lava_referee, netx_referee)],
        )
    return FileDeployment(
        name=path.name,
        target=config.target,
        inputs=said,
        parity=rows,
        quantized=prepared.quantized.layers,
        steps=_steps(prepared, counts),
        fits=tuple(chip_fit(prepared.quantized.graph, chip) for chip in TARGETS.values()),
        warnings=prepared.quantized.warnings,
    )


def _prepared(graph: SpikingGraph, target: HardwareTarget, config: DeploymentConfig, *, peak: int) -> Prepared:
    # Counts of 0 and 1 are spikes, which every chip takes.
    bits = 0 if peak <= 1 else min(target.input_bits, peak.bit_length())
    settings = QuantizeConfig(
        weight_bits=target.weight_bits,
        input_bits=bits,
        peak_input=max(peak, 1),
        clip_percentile=config.scaling.percentile if config.scaling.scale == "percentile" else None,
    )
    return Prepared(graph, quantize(graph, settings), target)


def _nir_file(graph: SpikingGraph, path: Path, folder: Path) -> Path | NotRun:
    """The file itself, or what other tools can read of another."""
    if path.suffix == ".nir":
        return path
    try:
        write_nir(graph, folder / "model.nir")
    except UnsupportedLayerError as error:
        return NotRun(str(error))
    return folder / "model.nir"


def _steps(prepared: Prepared, counts: np.ndarray) -> QuantisationReport:
    backend = FixedPointBackend()
    program = backend.compile(prepared.quantized.graph, prepared.target)

    def run_integers(graph: IntegerGraph, inputs: np.ndarray) -> tuple[Mapping[str, np.ndarray], np.ndarray]:
        result = backend.run(program, inputs)
        return result.spikes, result.answers

    meter = StepMeter(prepared.graph, prepared.quantized, run_integers=run_integers)
    meter.add(counts)
    return meter.report()
