"""Berlincioni et al. 2024, "Neuromorphic Valence and Arousal Estimation", arXiv:2401.16058: tables 1 to 5."""

from snnface.app.reproduction.table import Claim, Column, Part, Row, Table

__all__ = ["TABLES"]

PAPER = "Berlincioni et al. 2024, Neuromorphic Valence and Arousal Estimation, arXiv:2401.16058"

NO_WEIGHTS = (
    "the paper's ResNet18 comes with ImageNet weights; none are bundled, and --weights gives them. Without them "
    "it is trained from nothing and never frozen."
)
TBR_ORDER = (
    "the paper leaves the order of the bits and the range open: the newest bit is the highest here, divided by 2^N - 1."
)
DEPARTS = (
    TBR_ORDER,
    "the paper gives neither the number of epochs nor the folds: 100 epochs and five folds by subject here.",
)


def _dimension(name: str) -> tuple[Column, ...]:
    short = name.lower()
    return (
        Column(metric=f"rmse_{short}", heading=f"{name} RMSE", better="lower"),
        Column(metric=f"pcc_{short}", heading=f"{name} PCC"),
        Column(metric=f"sagr_{short}", heading=f"{name} SAGR"),
    )


def _numbers(arousal: tuple[float, ...], valence: tuple[float, ...]) -> dict[str, float]:
    """RMSE, PCC and SAGR of both; or RMSE alone."""
    metrics = ("rmse", "pcc", "sagr")
    found = {f"{name}_arousal": value for name, value in zip(metrics, arousal, strict=False)}
    return found | {f"{name}_valence": value for name, value in zip(metrics, valence, strict=False)}


def _parts(rows: tuple[Row, ...]) -> tuple[Part, ...]:
    return tuple(Part(title=name, columns=_dimension(name), rows=rows) for name in ("Arousal", "Valence"))


FRAME_ROWS = (
    Row(
        label="ResNet18",
        published=_numbers((0.200, 0.307, 0.803), (0.246, 0.110, 0.466)),
        recipe="valence-arousal-resnet18",
        departs=(NO_WEIGHTS,),
    ),
    Row(
        label="ViT",
        published=_numbers((0.173, 0.340, 0.802), (0.211, 0.005, 0.463)),
        recipe="valence-arousal-vit",
        departs=("the paper does not say the transformer's width: 256 here.",),
    ),
)
VIDEO_ROWS = (
    Row(
        label="ResNet+Fusion",
        published=_numbers((0.124, 0.580, 0.805), (0.191, 0.297, 0.451)),
        recipe="valence-arousal-fusion",
        departs=(NO_WEIGHTS,),
    ),
    Row(
        label="IC3D",
        published=_numbers((0.130, 0.520, 0.812), (0.201, 0.141, 0.455)),
        recipe="valence-arousal-ic3d",
        departs=("the paper does not give the clip length of IC3D: chunks of six frames here, as it says of Fusion.",),
    ),
    Row(
        label="ResNet+LSTM",
        published=_numbers((0.153, 0.525, 0.799), (0.222, 0.209, 0.413)),
        recipe="valence-arousal-resnet-lstm",
        departs=(NO_WEIGHTS,),
    ),
    Row(
        label="ResNet+Transf.",
        published=_numbers((0.133, 0.490, 0.815), (0.226, 0.132, 0.449)),
        recipe="valence-arousal-transformer",
        departs=(NO_WEIGHTS,),
    ),
)

TABLE1 = Table(
    name="valence-arousal/table1",
    title="Valence and arousal from single event frames",
    source=f"{PAPER}, table 1",
    data="AFEW-VA, events emulated with v2e",
    parts=_parts(FRAME_ROWS),
    claims=(
        Claim(says="ViT is better than ResNet18 at arousal", better="ViT", worse="ResNet18", metric="rmse_arousal"),
        Claim(says="ViT is better than ResNet18 at valence", better="ViT", worse="ResNet18", metric="rmse_valence"),
    ),
    departs=DEPARTS,
)

TABLE2 = Table(
    name="valence-arousal/table2",
    title="Valence and arousal from sequences of event frames",
    source=f"{PAPER}, table 2",
    data="AFEW-VA, events emulated with v2e",
    parts=_parts(VIDEO_ROWS),
    claims=tuple(
        Claim(
            says=f"ResNet+Fusion is better than {row.label} at {dimension}",
            better="ResNet+Fusion",
            worse=row.label,
            metric=f"rmse_{dimension}",
        )
        for row in VIDEO_ROWS[1:]
        for dimension in ("arousal", "valence")
    ),
    departs=DEPARTS,
    figures={"ResNet+Fusion": ("va_traces", "emotion_wheel")},
)

_RMSE = tuple(
    Column(metric=f"rmse_{name}", heading=f"{name.title()} RMSE", better="lower") for name in ("arousal", "valence")
)


def _quoted(label: str, arousal: float, valence: float) -> Row:
    return Row(label=f"{label} (RGB)", published=_numbers((arousal,), (valence,)))


TABLE3 = Table(
    name="valence-arousal/table3",
    title="The best models beside earlier work on the same videos",
    source=f"{PAPER}, table 3",
    data="AFEW-VA; events emulated with v2e, or the RGB videos",
    parts=(
        Part(
            title="RMSE",
            columns=_RMSE,
            rows=(
                _quoted("Kossaifi et al. 2017", 0.23, 0.27),
                _quoted("Mitenkova et al. 2019", 0.41, 0.40),
                _quoted("Kollias et al. 2020", 0.27, 0.48),
                _quoted("Handrich et al. 2020", 0.26, 0.28),
                _quoted("Kossaifi et al. 2020", 0.24, 0.24),
                _quoted("Toisoul et al. 2021", 0.22, 0.23),
                _quoted("Parameshwara et al. 2023", 0.19, 0.21),
                Row(
                    label="Ours (Frame): ViT, events",
                    published=_numbers((0.17,), (0.21,)),
                    recipe="valence-arousal-vit",
                    departs=FRAME_ROWS[1].departs,
                ),
                Row(
                    label="Ours (Video): ResNet+Fusion, events",
                    published=_numbers((0.12,), (0.19,)),
                    recipe="valence-arousal-fusion",
                    departs=(NO_WEIGHTS,),
                ),
            ),
        ),
    ),
    claims=tuple(
        Claim(
            says=f"a video model is better than a frame model at {name}",
            better="Ours (Video): ResNet+Fusion, events",
            worse="Ours (Frame): ViT, events",
            metric=f"rmse_{name}",
        )
        for name in ("arousal", "valence")
    ),
    departs=(*DEPARTS, "rows of earlier work are quoted by the paper, and not rerun."),
)

REPEATED = (
    "the row called ResNet repeats the numbers of ResNet+Fusion in table 2, so ResNet+Fusion is what is trained for it."
)
_BITS: tuple[tuple[str, int, str, float, float, tuple[str, ...]], ...] = (
    ("ResNet", 8, "valence-arousal-fusion", 0.124, 0.191, (REPEATED, NO_WEIGHTS)),
    ("ViT", 8, "valence-arousal-vit", 0.173, 0.211, FRAME_ROWS[1].departs),
    ("IC3D", 8, "valence-arousal-ic3d", 0.130, 0.201, VIDEO_ROWS[1].departs),
    ("ResNet+Transf.", 8, "valence-arousal-transformer", 0.133, 0.226, (NO_WEIGHTS,)),
    ("ResNet", 16, "valence-arousal-fusion-16bit", 0.176, 0.218, (REPEATED, NO_WEIGHTS)),
    ("ViT", 16, "valence-arousal-vit-16bit", 0.232, 0.305, FRAME_ROWS[1].departs),
    ("IC3D", 16, "valence-arousal-ic3d-16bit", 0.201, 0.302, VIDEO_ROWS[1].departs),
    ("ResNet+Transf.", 16, "valence-arousal-transformer-16bit", 0.132, 0.230, (NO_WEIGHTS,)),
)

TABLE4 = Table(
    name="valence-arousal/table4",
    title="Eight or sixteen bits of temporal binary representation",
    source=f"{PAPER}, table 4",
    data="AFEW-VA, events emulated with v2e",
    parts=(
        Part(
            title="RMSE",
            columns=_RMSE,
            rows=tuple(
                Row(
                    label=f"{model}, {bits} bits",
                    published=_numbers((arousal,), (valence,)),
                    recipe=recipe,
                    departs=departs,
                )
                for model, bits, recipe, arousal, valence, departs in _BITS
            ),
        ),
    ),
    # The paper's own exception: the transformer's arousal.
    claims=tuple(
        Claim(
            says=f"{model} with 8 bits is better than with 16 at {name}",
            better=f"{model}, 8 bits",
            worse=f"{model}, 16 bits",
            metric=f"rmse_{name}",
        )
        for model in ("ResNet", "ViT", "IC3D", "ResNet+Transf.")
        for name in ("arousal", "valence")
        if (model, name) != ("ResNet+Transf.", "arousal")
    ),
    departs=DEPARTS,
)

TABLE5 = Table(
    name="valence-arousal/table5",
    title="Emotions of another data set from valence and arousal, without training on it",
    source=f"{PAPER}, table 5",
    data="trained on AFEW-VA (emulated events), tested on NEFER (an event camera's)",
    parts=(
        Part(
            title="Accuracy",
            columns=(
                Column(metric="emotion", heading="Accuracy", factor=100, decimals=2, unit="%"),
                Column(
                    metric="emotion_reported", heading="Accuracy, reported emotion", factor=100, decimals=2, unit="%"
                ),
            ),
            rows=(
                Row(label="RGB (Berlincioni et al. 2023), trained on NEFER", published={"emotion": 14.60}),
                Row(label="Event (Berlincioni et al. 2023), trained on NEFER", published={"emotion": 22.95}),
                Row(
                    label="Ours (Frame): ViT",
                    published={"emotion": 19.20},
                    recipe="valence-arousal-vit",
                    further="emotion_transfer",
                    departs=FRAME_ROWS[1].departs,
                ),
                Row(
                    label="Ours (Video): ResNet+Fusion",
                    published={"emotion": 20.80},
                    recipe="valence-arousal-fusion",
                    further="emotion_transfer",
                    departs=(NO_WEIGHTS,),
                ),
            ),
        ),
    ),
    claims=(
        Claim(
            says="a video model transfers better than a frame model",
            better="Ours (Video): ResNet+Fusion",
            worse="Ours (Frame): ViT",
            metric="emotion",
        ),
    ),
    departs=(
        TBR_ORDER,
        "the paper does not say whether its accuracy is that of the expected or of the reported emotion: it stands "
        "beside the expected one here.",
        "the network of the first fold is transferred.",
        "rows of earlier work are quoted by the paper, and not rerun.",
    ),
)

TABLES = (TABLE1, TABLE2, TABLE3, TABLE4, TABLE5)
