"""Where every number of a report comes from. A number without an origin does not get into the schema."""

from typing import Literal

__all__ = ["ORIGINS", "OriginKind", "origin_of"]

OriginKind = Literal["counted", "constant", "estimated", "configured", "measured on clips", "simulated", "given"]
"""counted: exact, of one run. constant: published, its source beside it. estimated: counts times constants. configured:
chosen before the run. measured on clips: answers against labels. simulated: of a simulator, not of a chip. given: by
whoever made the report, who says in the note where it is from."""

_Origin = tuple[OriginKind, str]

ORIGINS: dict[str, _Origin] = {
    "Report.provenance": ("given", "seeds, versions and settings of the run"),
    "Meta.num_samples": ("counted", "clips that were run"),
    "Meta.num_steps": ("configured", "steps of a clip"),
    "RecordingSummary": ("counted", "events and frames of the recording, and their time stamps"),
    "Table": ("given", "the note of the table"),
    "Trace": ("given", "answers of the network, or labels, over time"),
    "AccuracyRow.num_clips": ("counted", "clips with a label"),
    "AccuracyRow": ("measured on clips", "answers against labels; intervals by bootstrap over subjects"),
    "Confusion": ("counted", "clips by true and predicted class"),
    "ClipPicture.num_steps": ("configured", "steps of the clip"),
    "ClipPicture.votes": ("simulated", "answers of the network to the clip"),
    "Raster": ("counted", "spikes of one clip in the fixed-point simulator"),
    "RasterLayer": ("counted", "spikes of one clip in the fixed-point simulator"),
    "OperationsSummary": ("counted", "hardware.counts.operation_counts, over all clips counted"),
    "LayerSummary": ("counted", "hardware.counts.operation_counts, over all clips counted"),
    "Statistic": ("counted", "per-clip counts: mean, standard deviation, bootstrap interval of the mean"),
    "AnnSummary": ("counted", "hardware.counts.ann_operations, over all clips counted"),
    "AnnLayerSummary": ("counted", "hardware.counts.ann_operations, over all clips counted"),
    "EnergyEstimate.counted": ("counted", "totals of the network, by the names of hardware.counts.operation_counts"),
    "EnergyEstimate.constants": ("constant", "`source` of the estimate"),
    "EnergyEstimate": ("estimated", "`counted` times `constants`, by the model in `scope`"),
    "EnergyRatio": ("estimated", "two estimates of one model, node and precision"),
    "EnergyRange": ("estimated", "M0 in int8, and M1"),
    "Latency": ("configured", "steps of the clip, layers of the network, length of a step"),
    "Agreement": ("counted", "final currents and voltages that differ"),
    "SpikeComparison": ("counted", "bins (step, clip, neuron) of two runs"),
    "QuantizedLayer": ("counted", "float weights against integers, conversion.quantize"),
    "ChipFit": ("estimated", "sizes of the network against the limits of the target, `source`"),
    "PopulationFit": ("estimated", "sizes of the network against the limits of the target"),
    "Remedy": ("estimated", "as PopulationFit, of a changed network"),
}
"""Class, or class.field where a field differs from the rest of its class."""


def origin_of(owner: str, field: str) -> _Origin | None:
    """The origin of a number in a field of a class; None if nobody has said."""
    return ORIGINS.get(f"{owner}.{field}", ORIGINS.get(owner))
