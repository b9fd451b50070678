"""DataOps Dojo: a course in which you keep a company's data reliable. In a notebook: from dojo import start, check."""

from __future__ import annotations

from typing import Any

__version__ = "0.1.0"
__all__ = ["check", "compare", "debrief", "hint", "predict", "progress", "quiz", "solution", "start"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from dojo import notebook

        return getattr(notebook, name)
    raise AttributeError(f"module 'dojo' has no attribute {name!r}; it offers {', '.join(__all__)}")
