import pytest
import torch
from torch import nn

from snnface.datasets.clip import Batch
from snnface.datasets.picture_samples import PICTURE, REFERENCE
from snnface.errors import DataError
from snnface.tasks import ReconstructionTask, ReconstructionTaskConfig

TASK = ReconstructionTask(ReconstructionTaskConfig(divergence_weight=0.5))
PICTURES = torch.rand(2, 1, 12, 12, generator=torch.Generator().manual_seed(0))
REFERENCES = torch.rand(2, 1, 12, 12, generator=torch.Generator().manual_seed(1))


def batch(present: list[bool] | None = None) -> Batch:
    here = torch.tensor(present or [True, True])
    return Batch(
        inputs=torch.zeros(3, 2, 2, 12, 12),
        targets={PICTURE: PICTURES, REFERENCE: REFERENCES},
        present={PICTURE: here, REFERENCE: here},
        clip_ids=("a", "b"),
    )


class Asked(nn.Module):
    """Notes what it is handed."""

    def forward(
        self, inputs: torch.Tensor, reference: torch.Tensor, target: torch.Tensor | None = None
    ) -> dict[str, torch.Tensor]:
        self.reference, self.target = reference, target
        return {"picture": reference}


def test_the_picture_itself_is_handed_over_only_in_training() -> None:
    model = Asked()
    TASK.predict(model.train(), batch())
    assert model.target is not None
    torch.testing.assert_close(model.target, PICTURES)
    TASK.predict(model.eval(), batch())
    assert model.target is None
    torch.testing.assert_close(model.reference, REFERENCES)


def test_the_divergence_is_counted_by_the_pixel_as_the_error_is() -> None:
    output = {"picture": PICTURES + 0.1, "divergence": torch.tensor([3.0, 5.0])}
    loss = TASK.loss(output, batch())
    assert loss.parts["picture_mse"] == pytest.approx(0.01)
    assert loss.parts["divergence"] == pytest.approx(4 / 144)
    assert loss.value == pytest.approx(0.01 + 0.5 * 4 / 144)


def test_unless_it_is_said_a_pixel_is_taken_to_lie_within_a_twentieth() -> None:
    # Twice the variance of a standard deviation of 0.05.
    assert ReconstructionTaskConfig().divergence_weight == pytest.approx(2 * 0.05**2)


class Copying(nn.Module):
    """Answers with the picture where it is shown, else with black."""

    def forward(
        self, inputs: torch.Tensor, reference: torch.Tensor, target: torch.Tensor | None = None
    ) -> dict[str, torch.Tensor]:
        return {"picture": torch.zeros_like(reference) if target is None else target}


def test_what_is_answered_when_the_picture_is_shown_is_scored_under_names_of_its_own() -> None:
    task = ReconstructionTask(ReconstructionTaskConfig(shows_picture=True))
    output = task.predict(Copying().eval(), batch())
    assert list(task.answers(output)) == ["picture"]
    found = task.metrics(task.statistics(output, batch()).sum(0))
    assert float(found["mse"]) == pytest.approx(float(PICTURES.square().mean()), rel=1e-6)
    assert float(found["shown_mse"]) == 0.0
    assert float(found["shown_ssim"]) == pytest.approx(1.0)
    assert float(found["ssim"]) < 0.5


def test_in_training_and_by_trivial_predictors_nothing_is_answered_twice() -> None:
    task = ReconstructionTask(ReconstructionTaskConfig(shows_picture=True))
    assert list(task.predict(Copying().train(), batch())) == ["picture"]
    mean = task.predictors([batch()])["mean"](batch())
    found = task.metrics(task.statistics(mean, batch()).sum(0))
    assert found["shown_ncc"] == found["ncc"]


def test_a_model_is_not_shown_the_picture_unless_it_is_said() -> None:
    output = TASK.predict(Copying().eval(), batch())
    assert list(output) == ["picture"]
    assert not any(name.startswith("shown") for name in TASK.metrics(TASK.statistics(output, batch()).sum(0)))


def test_a_clip_without_a_picture_changes_nothing() -> None:
    spoiled = PICTURES.clone()
    spoiled[1] += 100
    loss = TASK.loss({"picture": spoiled}, batch([True, False]))
    assert loss.value == 0.0
    assert TASK.statistics({"picture": spoiled}, batch([True, False]))[1].sum() == 0


def test_trivial_answers_are_a_grey_the_mean_and_the_reference() -> None:
    predictors = TASK.predictors([batch()])
    assert list(predictors) == ["constant", "mean", "reference"]
    torch.testing.assert_close(predictors["reference"](batch())["picture"], REFERENCES)
    torch.testing.assert_close(predictors["mean"](batch())["picture"][1], PICTURES.mean(0))
    grey = predictors["constant"](batch())["picture"]
    assert grey.shape == PICTURES.shape
    torch.testing.assert_close(grey, torch.full_like(grey, float(PICTURES.mean())))


def test_recordings_without_frames_are_refused_by_name() -> None:
    bare = Batch(inputs=torch.zeros(1, 1, 2, 12, 12), targets={}, present={}, clip_ids=("a",))
    with pytest.raises(DataError, match="no clip of a has the label 'picture'; reconstruction needs recordings with"):
        TASK.predict(Asked(), bare)
