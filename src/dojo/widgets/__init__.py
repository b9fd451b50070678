"""Things to touch: anywidgets whose logic is JavaScript, each with a still picture for where nothing can run."""

from dojo.widgets.burn_rate import burn_rate_explorer
from dojo.widgets.first_move import first_move
from dojo.widgets.lineage import lineage_explorer
from dojo.widgets.timeline import run_timeline

__all__ = ["burn_rate_explorer", "first_move", "lineage_explorer", "run_timeline"]
