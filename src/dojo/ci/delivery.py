"""Executes workflows on merges to main, with a production warehouse and a live API that stand in for the real ones.

A request has `released` (the repository that production was released from, by path), `rows` (what the API answered then),
`token`, and `stories`: each a list of steps on one copy of that production. A step has `workflow` (path), `files` (the
repository at that commit), `event` ("push" or "workflow_dispatch"), `rows` (what the API answers now), `name`, and `killed`
where the runner dies once the API has answered.
To a workflow, production is the file `prod.duckdb` in the folder `vars.WAREHOUSE_FOLDER`, the API is `vars.SHOP_API_URL` and
`secrets.SHOP_API_TOKEN`. Each step comes back with its colour, its steps, what the API was asked, the marts afterwards, and
what a reader of production would have met while it ran: `moments`, with `gone`, `written`, and `shown`, the marts of every
file that stood there in between.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import secrets
import shutil
import subprocess
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from dojo.ci import act, checkouts, slots
from dojo.judge import waiting
from dojo.tools.ingestion import api, tables
from dojo.tools.watching import Watch

SCHEMA = "marts"
REPOSITORY = "shopflow/shop-elt"
DBT = ["dbt", "build", "--project-dir", "dbt", "--profiles-dir", "dbt"]


def warm() -> None:
    """Loads what CI steps use ahead of their first use."""
    checkouts.warm()


def make_ready() -> None:
    """Starts the process that holds the tools of a CI step."""
    checkouts.make_ready()


def session(request: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """The stories, told step by step; see the module's first lines. NotCheckable without act or Git."""
    kept = _store()
    found: dict[int, list[dict[str, Any]]] = {}
    for number, story in enumerate(request["stories"]):
        path = kept / f"{_key(request, story)}.json" if kept else None
        if path and path.is_file():
            with contextlib.suppress(ValueError, OSError):
                found[number] = json.loads(path.read_text(encoding="utf-8"))
    missing = [n for n in range(len(request["stories"])) if n not in found]
    if missing:
        of = len(request["stories"])
        waiting.tell(len(found), of, "getting the runner and production ready")
        room = checkouts.runner_room()
        released = _released(room, request)
        waiting.tell(len(found), of, f"running: {request['stories'][missing[0]][0]['name']}")
        with ThreadPoolExecutor(2) as pool:
            told = {pool.submit(_in_turn, room, released, request, request["stories"][n]): n for n in missing}
            for one in as_completed(told):
                story = request["stories"][told[one]]
                found[told[one]] = one.result()
                _keep(kept, request, story, found[told[one]])
                waiting.tell(len(found), of, f"{found[told[one]][-1]['colour']}: {story[-1]['name']}")
    return [found[n] for n in range(len(request["stories"]))]


def _keep(kept: Path | None, request: dict[str, Any], story: list[dict[str, Any]], told: list[dict[str, Any]]) -> None:
    if kept is None or any(step["stopped"] for step in told):
        return
    with contextlib.suppress(OSError):
        path = kept / f"{_key(request, story)}.json"
        part = path.with_suffix(f".{secrets.token_hex(8)}")
        part.write_text(json.dumps(told), encoding="utf-8")
        part.replace(path)


def _in_turn(room: Path, released: Path, request: dict[str, Any], story: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One story, while at most two run on this machine; cut off, it is told once more, with more time."""
    with slots.one():
        told = _tell(room, released, request, story, checkouts.SECONDS)
    if not any(step["stopped"] for step in told):
        return told
    with slots.one():
        return _tell(room, released, request, story, 3 * checkouts.SECONDS)


def _store() -> Path | None:
    """Where stories are kept: beside the runs in a learner's folder; nothing is kept or believed when graded."""
    folder = checkouts.store()
    if folder is not None:
        folder = folder.parent / "deliveries"
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            return folder
    return None


def _key(request: dict[str, Any], story: list[dict[str, Any]]) -> str:
    digest = hashlib.sha256(checkouts.machine())
    digest.update(json.dumps([request["released"], request["rows"], request["token"], story], sort_keys=True).encode())
    return digest.hexdigest()[:24]


def _released(room: Path, request: dict[str, Any]) -> Path:
    """Production as the last release left it; made once a process."""
    key = hashlib.sha256(json.dumps([request["released"], request["rows"]], sort_keys=True).encode()).hexdigest()[:12]
    folder = room / f"released-{key}"
    checkouts.written(room, request["released"])
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
            environment = checkouts.runner_environment(room, more)
            done = subprocess.run([program, *command[1:]], cwd=work, env=environment, capture_output=True, text=True)
            if done.returncode:
                raise RuntimeError(f"the released state does not build: {(done.stdout + done.stderr)[-500:]}")
        folder.mkdir(exist_ok=True)
        (work / "prod.duckdb").replace(folder / "prod.duckdb")
        shutil.rmtree(work, ignore_errors=True)
    return folder / "prod.duckdb"


def _tell(
    room: Path, released: Path, request: dict[str, Any], story: list[dict[str, Any]], seconds: int
) -> list[dict[str, Any]]:
    folder = Path(tempfile.mkdtemp(prefix="prod-", dir=room))
    try:
        production = folder / "warehouse" / "prod.duckdb"
        production.parent.mkdir()
        shutil.copyfile(released, production)
        told = []
        for number, step in enumerate(story):
            told.append(_step(room, folder / str(number), production, request["token"], step, seconds))
            if told[-1]["unknown"]:
                break
        return told
    finally:
        checkouts.leave(folder)


def _step(room: Path, folder: Path, production: Path, token: str, step: dict[str, Any], seconds: int) -> dict[str, Any]:
    problem, unknown = act.unusable(step["files"], step["workflow"])
    if problem:
        nothing = {
            "marts": tables(production, SCHEMA),
            "calls": [],
            "moments": {"gone": False, "written": False, "shown": []},
        }
        return {**checkouts.not_run(step, problem, unknown=unknown), "stopped": False, **nothing}
    base = checkouts.main_of(room, {"files": step["files"]})
    checkout = checkouts.prepared(
        room, folder, {"DOJO_CACHE": "none", "DOJO_TRIAL": folder.parent.name, **checkouts.kept_results()}, seconds
    )
    shutil.copytree(base, checkout.repo, symlinks=True)
    watch = Watch(production, folder / "shown")
    with api(step["rows"], token) as (address, calls), watch:
        settings = {
            ".secrets": f"SHOP_API_TOKEN={token}\n",
            ".vars": f"WAREHOUSE_FOLDER={production.parent}\nSHOP_API_URL={address}\n",
        }
        checkouts.write(checkout.repo, settings)
        (folder / "event.json").write_text(json.dumps(_event(checkout, step)), encoding="utf-8")
        checkouts.wait()
        code, lines = _run(checkout, step, calls)
    result = act.told(step, code, lines)
    for told in result["steps"]:
        told["said"] = told["said"].replace(token, "***")
    shown = [tables(path, SCHEMA) for path in watch.moments.shown]
    moments = {"gone": watch.moments.gone, "written": watch.moments.written, "shown": shown}
    leaked = any(token in line for line in lines)
    marts = tables(production, SCHEMA)
    return {**result, "marts": marts, "calls": [list(c) for c in calls][:20], "leaked": leaked, "moments": moments}


def _event(checkout: checkouts.Checkout, step: dict[str, Any]) -> dict[str, Any]:
    head = checkouts.git(checkout.repo, "rev-parse", "HEAD")
    repository = {
        "full_name": REPOSITORY,
        "default_branch": "main",
        "name": "shop-elt",
        "owner": {"login": "shopflow"},
    }
    commit = {"id": head, "message": step["name"]}
    moved = {"ref": "refs/heads/main", "before": head, "after": head, "head_commit": commit}
    return {**moved, "repository": repository, "inputs": {}}


def _run(checkout: checkouts.Checkout, step: dict[str, Any], calls: list) -> tuple[int, list[str]]:
    texts = act.texts_of(step["files"], step["workflow"])
    act.make_known(checkout.repo, texts)
    payload = checkout.folder / "event.json"
    command = act.command(
        step["event"], step["workflow"], payload, "\n".join(texts.values()), number=checkout.number, repository=REPOSITORY
    )
    command += ["--defaultbranch", "main"]
    if not step.get("killed"):
        return checkouts.execute(checkout, command)
    over = threading.Event()
    killer = threading.Thread(target=_kill_once_asked, args=(checkout, calls, over), daemon=True)
    killer.start()
    try:
        return checkouts.execute(checkout, command)
    finally:
        over.set()
        killer.join()
        time.sleep(0.3)  # what was told to stop may still be stopping


def _kill_once_asked(checkout: checkouts.Checkout, calls: list, over: threading.Event) -> None:
    """The runner dies as soon as the API has answered for every table: the load, or the build after it, is under way."""
    while not over.wait(0.02):
        if len({table for table, _, let_in in calls if let_in}) >= 3:
            checkouts.end(checkout)
            return
