"""The speed table's new learner: a copy of what is tracked, and the cells to the first check. What they measure is not tested."""

from __future__ import annotations

import nbformat

from dojo import bench
from dojo.places import COURSE


def test_the_first_check_is_reached_by_the_exercises_own_cells_with_the_answer_filled_in() -> None:
    cells = bench.to_the_first_check(nbformat.read(COURSE / "exercises" / "00-start-here.ipynb", as_version=4))
    assert cells[0].startswith("from dojo import") and cells[-1] == 'check("00.1")'
    (answer,) = [cell for cell in cells if "def revenue_on" in cell]
    assert "your turn" not in answer and "SOLUTION" not in answer and "return" in answer


def test_a_new_learners_copy_holds_what_git_tracks_and_nothing_of_this_machine(tmp_path) -> None:
    copy = bench.tracked_copy(tmp_path / "course")
    assert (copy / "src" / "dojo" / "install.py").exists()
    assert not [name for name in ("work", ".venv", "book/_build") if (copy / name).exists()]
