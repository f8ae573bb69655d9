"""Becattini et al. 2024, "Neuromorphic Facial Analysis with Cross-Modal Supervision", arXiv:2409.10213."""

from snnface.app.reproduction.table import Claim, Column, Part, Row, Table
from snnface.datasets.synthesis.presets import FACEMORPHIC_UNITS
from snnface.faces.action_units import action_unit

__all__ = ["TABLES"]

PAPER = "Becattini et al. 2024, Neuromorphic Facial Analysis with Cross-Modal Supervision, arXiv:2409.10213"

NO_WEIGHTS = (
    "the paper's ResNet18 comes with ImageNet weights and frozen convolutions; none are bundled, and --weights gives "
    "them. Without them it is trained from nothing and never frozen."
)
DEPARTS = (
    "the paper does not give lambda, the number of epochs or the layers of the transformer: 0.5 on the mean squared "
    "error of coefficients times ten, 100 and 6 here.",
    "the paper names no validation subjects: two are drawn from the training part, and weights are chosen by them.",
)
MODELS = {"ResNet18+LSTM": "resnet-lstm", "ResNet18+Transf.": "transformer", "I3D": "i3d"}

ACCURACY = tuple(
    Column(metric=metric, heading=heading, factor=100, decimals=2, unit="%")
    for metric, heading in (("top1", "Accuracy"), ("top3", "Top-3"), ("top5", "Top-5"))
)


def _numbers(top1: float, top3: float, top5: float) -> dict[str, float]:
    return {"top1": top1, "top3": top3, "top5": top5}


def _departs(model: str) -> tuple[str, ...]:
    return () if model == "I3D" else (NO_WEIGHTS,)


TABLE2 = Table(
    name="cross-modal/table2",
    title="Action units from the coefficients of a face model, without any event",
    source=f"{PAPER}, table 2",
    data="FACEMORPHIC, 32 coefficients fitted to landmarks of the RGB frames",
    parts=(
        Part(
            title="Accuracy",
            columns=ACCURACY,
            rows=(
                Row(
                    label="Transformer",
                    published=_numbers(69.27, 82.76, 87.11),
                    recipe="cross-modal-coefficients-transformer",
                    departs=(
                        "the paper does not say what the transformer's decoder is asked: a learned query for "
                        "each step here, and their mean is classified.",
                    ),
                ),
                Row(
                    label="LSTM",
                    published=_numbers(50.34, 82.36, 86.66),
                    recipe="cross-modal-coefficients-lstm",
                ),
            ),
        ),
    ),
    claims=(
        Claim(
            says="the transformer reads coefficients better than the LSTM",
            better="Transformer",
            worse="LSTM",
            metric="top1",
        ),
    ),
    departs=DEPARTS[1:],
)

_BY_EVENTS = {
    "ResNet18+LSTM": (46.23, 62.91, 68.58),
    "ResNet18+Transf.": (31.74, 40.63, 52.08),
    "I3D": (47.08, 69.58, 80.66),
}
_BY_RGB = {
    "ResNet18+LSTM": (25.65, 38.86, 46.12),
    "ResNet18+Transf.": (4.16, 12.50, 20.83),
    "I3D": (29.86, 72.00, 82.05),
}
_BY_BOTH_LOSSES = {
    "ResNet18+LSTM": (50.21, 70.71, 81.17),
    "ResNet18+Transf.": (43.35, 65.59, 80.05),
    "I3D": (49.58, 71.08, 79.41),
}

TABLE3 = Table(
    name="cross-modal/table3",
    title="Action units from events or from RGB frames",
    source=f"{PAPER}, table 3",
    data="FACEMORPHIC",
    parts=(
        Part(
            title="Accuracy",
            columns=ACCURACY,
            rows=tuple(
                Row(
                    label=f"{model}, {shown}",
                    published=_numbers(*numbers[model]),
                    recipe=f"cross-modal-{name}-{suffix}",
                    departs=_departs(model),
                )
                for shown, suffix, numbers in (("Event", "events", _BY_EVENTS), ("RGB", "rgb", _BY_RGB))
                for model, name in MODELS.items()
            ),
        ),
    ),
    claims=tuple(
        Claim(
            says=f"{model} learns more from events than from RGB",
            better=f"{model}, Event",
            worse=f"{model}, RGB",
            metric="top1",
        )
        for model in MODELS
    ),
    departs=DEPARTS,
)

_PER_UNIT = {
    "ResNet18+LSTM": (
        *(40.9, 30.8, 53.0, 34.8, 45.6, 18.3, 29.6, 6.1, 42.9, 17.6, 34.5, 0.0),
        *(23.4, 36.4, 39.6, 65.5, 57.1, 73.6, 94.0, 85.1, 92.3, 100, 87.3, 98.6),
    ),
    "ResNet18+Transf.": (
        *(20.3, 53.4, 46.5, 28.8, 46.3, 43.3, 10.8, 1.0, 26.2, 13.2, 28.1, 30.5),
        *(4.4, 38.0, 11.0, 47.5, 36.9, 32.3, 90.8, 66.5, 100, 84.0, 80.7, 100),
    ),
    "I3D": (
        *(29.6, 45.1, 40.1, 40.0, 50.7, 13.4, 62.7, 60.2, 43.3, 1.7, 41.4, 36.0),
        *(4.2, 37.2, 65.6, 70.9, 39.1, 62.6, 57.3, 84.4, 63.9, 90.2, 75.8, 77.1),
    ),
}
_RECALLS = tuple(f"recall {action_unit(code).label}" for code in FACEMORPHIC_UNITS)

BOTH_LOSSES = tuple(
    Row(
        label=model,
        published=_numbers(*_BY_BOTH_LOSSES[model]) | dict(zip(_RECALLS, _PER_UNIT[model], strict=True)),
        recipe=f"cross-modal-{name}",
        departs=_departs(model),
    )
    for model, name in MODELS.items()
)

TABLE4 = Table(
    name="cross-modal/table4",
    title="Action units and the shape of the face together",
    source=f"{PAPER}, table 4",
    data="FACEMORPHIC",
    parts=(
        Part(title="Accuracy", columns=ACCURACY, rows=BOTH_LOSSES),
        Part(
            title="Accuracy of each action unit",
            columns=tuple(
                Column(metric=metric, heading=f"AU {code}", factor=100, decimals=1, unit="%")
                for metric, code in zip(_RECALLS, FACEMORPHIC_UNITS, strict=True)
            ),
            rows=BOTH_LOSSES,
        ),
        Part(
            title="Coefficients (not in the paper)",
            columns=(
                Column(metric="r2", heading="explained variance"),
                Column(metric="mse", heading="MSE", better="lower", decimals=5),
            ),
            rows=BOTH_LOSSES,
        ),
    ),
    claims=(
        Claim(says="ResNet18+LSTM is the best of the three", better="ResNet18+LSTM", worse="I3D", metric="top1"),
        Claim(says="ResNet18+Transf. is the worst of the three", better="I3D", worse="ResNet18+Transf.", metric="top1"),
    ),
    departs=(
        *DEPARTS,
        "the columns of the action units are read in the order in which sec. 4 lists the units.",
    ),
    figures={"ResNet18+LSTM": ("component_maps", "coloured_meshes", "confusion_action_unit")},
)

TABLE5 = Table(
    name="cross-modal/table5",
    title="Action units from events, with and without the loss on face shape",
    source=f"{PAPER}, table 5",
    data="FACEMORPHIC",
    parts=(
        Part(
            title="Accuracy",
            columns=ACCURACY,
            rows=tuple(
                Row(
                    label=f"{model}, {'with' if suffix == '' else 'without'} L_alpha",
                    published=_numbers(*numbers[model]),
                    recipe=f"cross-modal-{name}{suffix}",
                    departs=_departs(model),
                )
                for suffix, numbers in (("", _BY_BOTH_LOSSES), ("-events", _BY_EVENTS))
                for model, name in MODELS.items()
            ),
        ),
    ),
    claims=tuple(
        Claim(
            says=f"L_alpha helps {model}",
            better=f"{model}, with L_alpha",
            worse=f"{model}, without L_alpha",
            metric="top1",
        )
        for model in MODELS
    ),
    departs=DEPARTS,
)

TABLES = (TABLE2, TABLE3, TABLE4, TABLE5)
