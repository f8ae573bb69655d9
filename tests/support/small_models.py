"""Small models of every kind, spiking or not: one list for all suites that go through the models."""

from collections.abc import Callable

from torch import nn

from ann_baselines import (
    C3d,
    C3dConfig,
    ClassTokenConfig,
    ConditionalVae,
    ConditionalVaeConfig,
    FrameCnnConfig,
    FrameSequence,
    FrameSequenceConfig,
    FusionConfig,
    I3d,
    I3dConfig,
    LstmConfig,
    PerFrame,
    PerFrameConfig,
    ResNet18Config,
    TransformerConfig,
    VitConfig,
)
from ann_baselines.frame_network import FrameConfig
from snnface.events.window import Resolution
from snnface.models import (
    ClassToken,
    ClipStepsHead,
    ClipStepsHeadConfig,
    EveryStep,
    FaceModel,
    LastStep,
    LeakyReadout,
    LeakyReadoutConfig,
    MeanOverTime,
    MlpHead,
    MlpHeadConfig,
    SpikingReconstruction,
    SpikingReconstructionConfig,
    Tokens,
    VotingHead,
    VotingHeadConfig,
)
from snnface.spiking import ConvSnn, ConvSnnConfig
from snnface.spiking.residual import SewResNet, SewResNetConfig

__all__ = ["FUSION", "MODELS", "PICTURES", "SIZE", "conv_snn", "linear", "sequence", "sew_resnet"]

SIZE = Resolution(height=16, width=16)
PICTURES = {"in_channels": 2, "resolution": SIZE}


def voting() -> VotingHead:
    return VotingHead(VotingHeadConfig(), num_features=12, num_outputs=3)


def linear(num_features: int = 12, num_outputs: int = 2) -> MlpHead:
    return MlpHead(MlpHeadConfig(), num_features=num_features, num_outputs=num_outputs)


def steps_of_clip() -> ClipStepsHead:
    return ClipStepsHead(ClipStepsHeadConfig(num_steps=7, hidden=(8,)), num_features=12, num_outputs=5)


def conv_snn() -> ConvSnn:
    return ConvSnn(ConvSnnConfig(channels=(4, 4), features=(16, 12)), **PICTURES)


def sew_resnet() -> SewResNet:
    return SewResNet(SewResNetConfig(stem=4, stages=(6, 8), features=(12,)), **PICTURES)


LSTM = LstmConfig(hidden=12)
CNN = FrameCnnConfig(channels=(4, 6), features=10)
RESNET = ResNet18Config(width=4, features=12)
VIT = VitConfig(width=12, depth=2, num_heads=2)
TRANSFORMER = TransformerConfig(width=12, num_heads=2, num_encoders=1, num_decoders=2, hidden=16)
CLASS_TOKEN = ClassTokenConfig(width=12, num_heads=2, num_layers=2, hidden=16)
FUSION = FusionConfig(chunk=3, hidden=9, features=6)


def per_frame(frame: FrameConfig = CNN, lstm: LstmConfig | None = LSTM) -> PerFrame:
    return PerFrame(PerFrameConfig(frame=frame, lstm=lstm), **PICTURES)


def sequence(part: TransformerConfig | ClassTokenConfig | FusionConfig, frame: FrameConfig = CNN) -> FrameSequence:
    return FrameSequence(FrameSequenceConfig(frame=frame, sequence=part), **PICTURES)


def i3d() -> I3d:
    return I3d(I3dConfig(width=8, features=12), in_channels=2)


def c3d() -> C3d:
    return C3d(C3dConfig(channels=((4,), (12,))), in_channels=2)


def leaky() -> LeakyReadout:
    return LeakyReadout(LeakyReadoutConfig())


def action_units(encoder: nn.Module) -> FaceModel:
    return FaceModel(encoder, MeanOverTime(), {"action_unit": voting()})


def affect(encoder: nn.Module) -> FaceModel:
    return FaceModel(encoder, EveryStep(), {"valence_arousal": linear()})


def both_tasks(encoder: nn.Module, *, clip: nn.Module, steps: nn.Module) -> FaceModel:
    parts = {"action_unit": clip, "face_shape": steps}
    return FaceModel(encoder, parts, {"action_unit": voting(), "face_shape": linear(num_outputs=5)})


MODELS: dict[str, Callable[[], nn.Module]] = {
    "action units, conv": lambda: action_units(conv_snn()),
    "action units, residual": lambda: action_units(sew_resnet()),
    "action units, steps": lambda: FaceModel(conv_snn(), EveryStep(), {"action_unit": voting()}),
    "valence and arousal": lambda: FaceModel(conv_snn(), leaky(), {"valence_arousal": linear()}),
    "valence and arousal, residual": lambda: FaceModel(sew_resnet(), leaky(), {"valence_arousal": linear()}),
    "action units and face shape": lambda: both_tasks(conv_snn(), clip=MeanOverTime(), steps=leaky()),
    "reconstruction": lambda: SpikingReconstruction(
        SpikingReconstructionConfig(encoder=(4,), decoder=(4,)), **PICTURES
    ),
    "ANN action units": lambda: action_units(c3d()),
    "ANN valence and arousal": lambda: affect(per_frame()),
    "ANN both tasks": lambda: both_tasks(per_frame(), clip=LastStep(), steps=EveryStep()),
    "ANN ResNet18": lambda: affect(per_frame(RESNET, None)),
    "ANN ViT": lambda: affect(per_frame(VIT, None)),
    "ANN ResNet18 + LSTM": lambda: affect(per_frame(RESNET, LstmConfig(hidden=12, num_layers=3))),
    "ANN Transformer": lambda: affect(sequence(TRANSFORMER)),
    "ANN Fusion": lambda: affect(sequence(FUSION, RESNET)),
    "ANN class token": lambda: both_tasks(sequence(CLASS_TOKEN, VIT), clip=ClassToken(), steps=Tokens()),
    "ANN I3D": lambda: FaceModel(i3d(), LastStep(), {"action_unit": voting(), "face_shape": steps_of_clip()}),
    "ANN reconstruction": lambda: ConditionalVae(
        ConditionalVaeConfig(channels=(4, 6), hidden=16, latent=5, sees_reference=True), **PICTURES
    ),
}
"""Name -> constructor; pictures of two channels, SIZE, and answers of a few numbers."""
