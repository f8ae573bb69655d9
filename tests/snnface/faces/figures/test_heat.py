"""Amounts as colours."""

import numpy as np

from snnface.faces.figures.heat import heat_bar, heat_colours


def test_none_is_blue_most_is_red_and_the_middle_green() -> None:
    none, middle, most = heat_colours(np.array([0.0, 0.5, 1.0]))
    assert (none.argmax(), middle.argmax(), most.argmax()) == (2, 1, 0)


def test_amounts_outside_the_scale_have_its_ends() -> None:
    np.testing.assert_array_equal(heat_colours(np.array([-3.0, 7.0])), heat_colours(np.array([0.0, 1.0])))


def test_colours_are_reflectances_of_any_shape_of_amounts() -> None:
    colours = heat_colours(np.linspace(0, 1, 60).reshape(3, 20))
    assert colours.shape == (3, 20, 3)
    assert (colours > 0).all()
    assert (colours <= 1).all()


def test_the_scale_runs_from_left_to_right() -> None:
    bar = heat_bar(4, 50)
    assert bar.shape == (4, 50, 3)
    assert bar[0, 0].argmax() == 2
    assert bar[0, -1].argmax() == 0
