"""What the scenario's notebook calls: a gate tried on pull requests, a load tried by itself, a release watched from finance's chair."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from dojo.ci.pull_requests import Tried
from dojo.ci.shown_runs import Trial
from dojo.tasks.i03_elt_ci_cd import changes, company, releasing

SEED = 11


def found(path: str) -> str:
    """A file of the repository as the candidate finds it, whatever has become of the one in the workspace."""
    return company.starting()[path]


def pull_requests(workflow: str, *kinds: str) -> Trial:
    """Executes a workflow's text on the prepared pull requests of these kinds (see changes.ORDER)."""
    from dojo.ci import act

    pulls = tuple(changes.variants(kind)[0] for kind in kinds)
    path = ".github/workflows/ci.yml"
    asked = {"path": path, "files": company.main_branch(), "own": {path: workflow}}
    results = act.session({**asked, "pull_requests": [p.as_request() for p in pulls]})
    return Trial([Tried(p, r) for p, r in zip(pulls, results, strict=True)])


def imported(load: str) -> None:
    """Imports a load's text where nothing is set and no network is, and prints what it tried."""
    from dojo.tools import ingestion

    files = company.main_branch() | {"ingest/shop_api.py": load}
    done = ingestion.session({"files": files, "tries": [{"do": "import", "module": "ingest.shop_api"}]})[0]
    print("files made:  ", ", ".join(done["made"]) or "none")
    print("hosts called:", ", ".join(done["hosts"]) or "none")
    print("raised:      ", done["raised"].split(":")[0] or "nothing")


def mornings(load: str, *which: int, renamed: bool = False) -> None:
    """Runs a load on mornings 0 and 1 (a day apart), each on a fresh machine, and prints what is in raw.payments."""
    from dojo.tasks.i03_elt_ci_cd.loading import mornings as prepared
    from dojo.tools import ingestion

    data = prepared(SEED)
    deliveries = [(data.first, data.second)[n] for n in which] + ([data.renamed] if renamed else [])
    tried = {"do": "loads", "module": "ingest.shop_api", "deliveries": deliveries}
    files = company.main_branch() | {"ingest/shop_api.py": load}
    for told in ingestion.session({"files": files, "tries": [tried]})[0]["deliveries"]:
        rows = told["tables"].get("payments", [])
        money = sum((Decimal(str(r.get("amount") or 0)) for r in rows), Decimal(0))
        asked = told["since"].get("payments") or "everything"
        print(
            f"asked for {asked:20} {len(rows):4} payments, sum of amounts {money:10,.2f}   {'refused' if told['raised'] else ''}".rstrip()
        )


@dataclass(frozen=True)
class Seen:
    """What finance reads after one step: the run's colour, the step that decided, rows and euros."""

    what: str
    colour: str
    decided: str
    rows: int
    euros: Decimal

    def __repr__(self) -> str:
        run = f"{self.colour}{f' at {self.decided}' if self.decided else ''}"
        return f"{self.what:42} {run:42} €{self.euros:>10,.2f} in {self.rows} rows"


class Watched(list):
    """Steps of one production, a line each."""

    def __repr__(self) -> str:
        return "\n".join(map(repr, self))


def released(deploy: str, kind: str, undo: str = "") -> Watched:
    """Merges a prepared change of a kind and lets the workflow release it; with `undo`, runs that workflow afterwards.

    Kinds: "good", "python", "live" (what today's answers hold), "wrong" (what no test sees), or one of changes.ORDER.
    """
    from dojo.ci import delivery

    data = releasing.production(SEED)
    merge = next((m for m in (*data.merges, data.wrong) if m.kind == kind), None)
    if merge is None:
        pull = changes.variants(kind)[0]
        merge = releasing.Merge(kind, pull.title, pull.changes, data.now, [])
    steps = [(releasing.DEPLOY, merge)] + ([(releasing.UNDO, merge)] if undo else [])
    told = delivery.session(
        {
            "released": company.main_branch(),
            "rows": data.before,
            "token": company.token(),
            "stories": [releasing.story(deploy, undo, steps)],
        }
    )[0]
    made = Watched([Seen("before", "", "", len(data.released), releasing._euros(data.released))])
    for (path, _), result in zip(steps, told, strict=True):
        made.append(_seen(merge.title if path == releasing.DEPLOY else "undone", result))
    return made


def _seen(what: str, result: dict[str, Any]) -> Seen:
    takings = releasing._takings(result)
    decided = result["decided"].split(" / ")[-1]
    return Seen(what, result["colour"], decided, len(takings or []), releasing._euros(takings))


def load(kind: str) -> str:
    """A load's text: "evolving" takes any column, "mended" is as it should be."""
    from dojo.tasks.i03_elt_ci_cd import loads

    return {"evolving": loads.evolving, "mended": loads.mended}[kind]()
