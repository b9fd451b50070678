"""Great Expectations over a learner's suite: the real validator, on one small frame after another.

A request: suite (the text of a suite's JSON), frames {key: pyarrow.Table}. The answer: error (what stopped it, "" otherwise),
states {key: {expectation: {"success": bool, "count": int | None, "message": str}}}.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import warnings
from collections.abc import Iterator
from typing import Any

_QUIET = {"GX_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1"}


def warm() -> None:
    """Imports Great Expectations, about a second that no check has to pay."""
    os.environ.update(_QUIET)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import great_expectations  # noqa: F401


def session(request: dict[str, Any]) -> dict[str, Any]:
    """Validates every frame against the suite; see the module's first lines. ValueError is told in `error`, never raised."""
    warm()
    import great_expectations as gx

    with warnings.catch_warnings(), _no_logs():
        warnings.simplefilter("ignore")
        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = {"globally": False}
        try:
            suite = _suite(context, request["suite"])
        except Exception as error:
            return {"error": _words(error), "states": {}}
        batches = (
            context.data_sources.add_pandas("memory").add_dataframe_asset("rows").add_batch_definition_whole_dataframe("all")
        )
        return {"error": "", "states": {key: _validated(batches, table, suite) for key, table in request["frames"].items()}}


@contextlib.contextmanager
def _no_logs() -> Iterator[None]:
    """It logs its temporary folders, at levels of its own in every module: nobody's business in a notebook."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


def _suite(context: Any, text: str) -> Any:
    import great_expectations as gx

    content = json.loads(text)
    if not isinstance(content, dict) or not isinstance(content.get("expectations"), list):
        raise ValueError('a suite is {"name": "…", "expectations": [{"type": "…", "kwargs": {…}}, …]}')
    listed = [{"type": e["type"], "kwargs": e.get("kwargs", {}), "meta": e.get("meta")} for e in content["expectations"]]
    suite = gx.ExpectationSuite(name=str(content.get("name") or "suite"), expectations=listed)
    unknown = {e["type"] for e in listed} - {e.expectation_type for e in suite.expectations}
    if unknown:  # it leaves them out with a line in its log, and validates the rest
        raise ValueError(f"it does not know {', '.join(sorted(unknown))}")
    return context.suites.add(suite)


def _validated(batches: Any, table: Any, suite: Any) -> dict[str, Any]:
    done = batches.get_batch({"dataframe": table.to_pandas()}).validate(suite)
    found: dict[str, Any] = {}
    for result in done.results:
        config = result.expectation_config
        name = f"{config.type}({config.kwargs.get('column') or ', '.join(config.kwargs.get('column_list', []))})"
        name += " " * (name in found)  # the same expectation twice, under other arguments
        raised = [e.get("exception_message") or "" for e in _exceptions(result.exception_info)]
        found[name] = {
            "success": bool(result.success),
            "count": result.result.get("unexpected_count"),
            "message": raised[0].splitlines()[0][:300] if raised and raised[0] else "",
        }
    return found


def _exceptions(info: Any) -> list[dict[str, Any]]:
    entries = [info] if isinstance(info, dict) and "raised_exception" in info else list((info or {}).values())
    return [e for e in entries if isinstance(e, dict) and e.get("raised_exception")]


def _words(error: Exception) -> str:
    kind = "The suite is not JSON" if isinstance(error, json.JSONDecodeError) else "Great Expectations cannot read the suite"
    if isinstance(error, KeyError):
        return f"{kind}: an expectation lacks {error}."
    return f"{kind}: {' '.join(str(error).split())[:400]}"
