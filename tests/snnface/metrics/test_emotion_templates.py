"""Emotions by templates: hand-worked traces, what is masked, what is refused."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from snnface.errors import DataError
from snnface.metrics import EmotionTemplates, emotion_templates, farthest_steps, template_answers


def test_the_farthest_step_is_the_one_farthest_from_the_mean_of_its_trace() -> None:
    # The mean is (0.2, 0): the last step is 0.8 away from it, the first 0.2.
    trace = torch.tensor([[[0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [1.0, 0.0]]])
    assert farthest_steps(trace, torch.ones(1, 5).bool()).tolist() == [4]


def test_a_trace_far_from_neutral_is_judged_by_its_own_mean() -> None:
    # Nearly everywhere at (0.9, 0.9): the one neutral step stands out.
    trace = torch.full((1, 6, 2), 0.9)
    trace[0, 2] = 0.0
    assert farthest_steps(trace, torch.ones(1, 6).bool()).tolist() == [2]


def test_of_equally_far_steps_the_first_is_taken() -> None:
    trace = torch.tensor([[[0.0, 1.0], [0.0, -1.0], [0.0, 1.0], [0.0, -1.0]]])
    assert farthest_steps(trace, torch.ones(1, 4).bool()).tolist() == [0]
    assert farthest_steps(torch.zeros(1, 4, 2), torch.ones(1, 4).bool()).tolist() == [0]


@given(st.integers(0, 2**31), st.integers(1, 12), st.integers(0, 5))
def test_padding_changes_nothing_but_the_number_of_the_step(seed: int, num_steps: int, padding: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    trace = torch.rand(2, num_steps, 2, generator=generator)
    present = torch.ones(2, num_steps).bool()
    padded = torch.cat([torch.full((2, padding, 2), 7.0), trace], dim=1)
    mask = torch.cat([torch.zeros(2, padding).bool(), present], dim=1)
    labels = torch.tensor([1, 0])
    assert (farthest_steps(padded, mask) - padding).tolist() == farthest_steps(trace, present).tolist()
    alone = emotion_templates(trace, present, labels, num_classes=2)
    assert torch.allclose(emotion_templates(padded, mask, labels, num_classes=2).points, alone.points)


def test_a_trace_without_steps_is_refused_by_number() -> None:
    with pytest.raises(DataError, match="trace 1 has none"):
        farthest_steps(torch.zeros(2, 3, 2), torch.tensor([[True] * 3, [False] * 3]))


def test_a_template_is_the_mean_of_all_frames_of_its_class_not_of_its_videos_means() -> None:
    traces = torch.tensor([[[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]], [[-1.0, 0.0], [9.0, 9.0], [9.0, 9.0]]])
    present = torch.tensor([[True, True, True], [True, False, False]])
    found = emotion_templates(traces, present, torch.tensor([2, 2]), num_classes=3)
    # Three frames at 1 and one at -1.
    assert found.points[2].tolist() == [0.5, 0.0]
    assert found.present.tolist() == [False, False, True]


def test_the_nearest_template_is_the_largest_answer() -> None:
    templates = EmotionTemplates(torch.tensor([[0.0, 0.0], [0.6, 0.8], [-1.0, 0.0]]), torch.ones(3).bool())
    answers = template_answers(torch.tensor([[0.6, 0.0]]), templates)
    assert answers[0].tolist() == pytest.approx([-0.6, -0.8, -1.6])
    assert int(answers.argmax()) == 0


def test_a_class_without_a_template_is_never_answered() -> None:
    templates = EmotionTemplates(torch.tensor([[0.0, 0.0], [0.5, 0.5]]), torch.tensor([False, True]))
    # The point lies where the missing template would be, were zeros taken for one.
    answers = template_answers(torch.zeros(1, 2), templates)
    assert int(answers.argmax()) == 1
    assert answers[0, 0] == -torch.inf


def test_without_any_template_nothing_can_be_told() -> None:
    templates = EmotionTemplates(torch.zeros(2, 2), torch.zeros(2).bool())
    with pytest.raises(DataError, match="no class has a video to make one of"):
        template_answers(torch.zeros(1, 2), templates)
