"""Executes workflows on merges to main, with a production warehouse and a live API that stand in for the real ones.

A request has `released` (the repository that production was released from, by path), `rows` (what the API answered then),
`token`, and `stories`: each a list of steps on one copy of that production. A step has `workflow` (path), `files` (the
repository at that commit), `event` ("push" or "workflow_dispatch"), `rows` (what the API answers now) and `name`.
To a workflow, production is the file `prod.duckdb` in the folder `vars.WAREHOUSE_FOLDER`, the API is `vars.SHOP_API_URL` and
`secrets.SHOP_API_TOKEN`. Each step comes back with its colour, its steps, what the API was asked, and the marts afterwards.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from dojo.tools import act, checkouts
from dojo.tools.ingestion import api, tables

SCHEMA = "marts"
DBT = ["dbt", "build", "--project-dir", "dbt", "--profiles-dir", "dbt"]


def warm() -> None:
    """Loads what CI steps use ahead of their first use."""
    checkouts.warm()


def session(request: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """The stories, told step by step; see the module's first lines. NotCheckable without act or Git."""
    room = checkouts.runner_room()
    kept = _store(room)
    found: dict[int, list[dict[str, Any]]] = {}
    for number, story in enumerate(request["stories"]):
        path = kept / f"{_key(request, story)}.json" if kept else None
        if path and path.is_file():
            with contextlib.suppress(ValueError, OSError):
                found[number] = json.loads(path.read_text(encoding="utf-8"))
    missing = [n for n in range(len(request["stories"])) if n not in found]
    if missing:
        released = _released(room, request)

        def tell(number: int) -> None:
            story = request["stories"][number]
            found[number] = _tell(room, released, request, story)
            if kept:
                with contextlib.suppress(OSError):
                    (kept / f"{_key(request, story)}.json").write_text(json.dumps(found[number]), encoding="utf-8")

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(tell, missing))
    return [found[n] for n in range(len(request["stories"]))]


def _store(room: Path) -> Path | None:
    """Where stories are kept: beside the runs in a learner's folder; when graded, only for the life of this process."""
    folder = checkouts.store()
    if folder is not None:
        folder = folder.parent / "deliveries"
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            return folder
    return None


def _key(request: dict[str, Any], story: list[dict[str, Any]]) -> str:
    digest = hashlib.sha256(b"".join(p.read_bytes() for p in (Path(__file__), *checkouts.made_by())))
    digest.update(json.dumps([request["released"], request["rows"], request["token"], story], sort_keys=True).encode())
    return digest.hexdigest()[:24]


def _released(room: Path, request: dict[str, Any]) -> Path:
    """Production as the last release left it; made once a process."""
    key = hashlib.sha256(json.dumps([request["released"], request["rows"]], sort_keys=True).encode()).hexdigest()[:12]
    folder = room / f"released-{key}"
    if not (folder / "prod.duckdb").exists():
        work = Path(tempfile.mkdtemp(prefix="release-", dir=room))
        checkouts.write(work, request["released"])
        for table, rows in request["rows"].items():
            path = work / "answered" / f"{table}.jsonl"
            path.parent.mkdir(exist_ok=True)
            path.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
        more = {"SHOPFLOW_WAREHOUSE": str(work / "prod.duckdb"), "SHOP_API_URL": "answered", "HOME": str(work)}
        checkouts.wait()
        for command in (["python", "-m", "ingest.shop_api"], DBT):
            program = str(room / "bin" / command[0])
            done = subprocess.run([program, *command[1:]], cwd=work, env=checkouts.runner_environment(room, more), capture_output=True, text=True, timeout=checkouts.SECONDS)  # fmt: skip
            if done.returncode:
                raise RuntimeError(f"the released state does not build: {(done.stdout + done.stderr)[-500:]}")
        folder.mkdir(exist_ok=True)
        (work / "prod.duckdb").replace(folder / "prod.duckdb")
        shutil.rmtree(work, ignore_errors=True)
    return folder / "prod.duckdb"


def _tell(room: Path, released: Path, request: dict[str, Any], story: list[dict[str, Any]]) -> list[dict[str, Any]]:
    folder = Path(tempfile.mkdtemp(prefix="prod-", dir=room))
    try:
        production = folder / "warehouse" / "prod.duckdb"
        production.parent.mkdir()
        shutil.copyfile(released, production)
        return [_step(room, folder / str(n), production, request["token"], step) for n, step in enumerate(story)]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _step(room: Path, folder: Path, production: Path, token: str, step: dict[str, Any]) -> dict[str, Any]:
    problem = act.unusable(step["files"][step["workflow"]])
    if problem:
        return {**checkouts.not_run(step, problem), "marts": tables(production, SCHEMA), "calls": []}
    base = checkouts.main_of(room, {"files": step["files"]})
    repo = folder / "repo"
    shutil.copytree(base, repo, symlinks=True)
    with api(step["rows"], token) as (address, calls):
        checkouts.write(repo, {".secrets": f"SHOP_API_TOKEN={token}\n", ".vars": f"WAREHOUSE_FOLDER={production.parent}\nSHOP_API_URL={address}\n"})  # fmt: skip
        head = checkouts.git(repo, "rev-parse", "HEAD")
        repository = {"full_name": "shopflow/shop-elt", "default_branch": "main", "name": "shop-elt", "owner": {"login": "shopflow"}}  # fmt: skip
        event = {"ref": "refs/heads/main", "before": head, "after": head, "head_commit": {"id": head, "message": step["name"]}, "repository": repository, "inputs": {}}  # fmt: skip
        (folder / "event.json").write_text(json.dumps(event), encoding="utf-8")
        checkouts.wait()
        code, lines = _run(room, folder, step)
    result = act.told(step, code, lines)
    for told in result["steps"]:
        told["said"] = told["said"].replace(token, "***")
    marts = tables(production, SCHEMA)
    return {**result, "marts": marts, "calls": [list(c) for c in calls][:20], "leaked": any(token in line for line in lines)}


def _run(room: Path, folder: Path, step: dict[str, Any]) -> tuple[int, list[str]]:
    texts = "\n".join(t for n, t in step["files"].items() if n.startswith(".github/"))
    command = act.command(step["event"], step["workflow"], folder / "event.json", texts)
    own = {"XDG_CACHE_HOME": "cache", "DOJO_JOURNAL": "journal", "DOJO_ARTEFACTS": "artefacts", "DOJO_CACHE": "none"}
    own |= {"HOME": "home", "DLT_DATA_DIR": "home"}
    for made in ("journal", "artefacts", "home"):
        (folder / made).mkdir()
    more = {"TMPDIR": str(folder), **{name: str(folder / path) for name, path in own.items()}}
    checkout = checkouts.Checkout(folder, checkouts.runner_environment(room, more))
    return checkouts.execute(checkout, [*command, "--defaultbranch", "main"])
