"""Draws the README's picture, book/assets/verdict.png: an answer in JupyterLab and what its check says, in Chromium.

  .venv/bin/python book/picture.py

Nothing in it is arranged but the answer: a mistake that people make. The picture keeps the verdict's words with it, and a
test asks the check again; when it says something else, the picture is to be drawn anew.
"""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

from dojo import install, lab, tasks
from dojo.feedback import as_text
from dojo.judge.engine import judge
from dojo.judge.work import KernelWork
from dojo.places import COURSE, home

TARGET = COURSE / "book" / "assets" / "verdict.png"
TASK = "00.1"
ANSWER = '''
def revenue_on(con, day):
    """Euros that all stores together earned on one business date."""
    query = "select revenue_eur from marts.daily_revenue where business_date = ? order by store_key"
    return con.execute(query, [day]).fetchone()[0]
'''.lstrip()
SIGNATURE, KEYWORD = b"\x89PNG\r\n\x1a\n", b"Description"
CHECK = f'check("{TASK}")'
DRIVE = """async ([answer, check]) => {
  const app = window.jupyterapp;
  const notebook = app.shell.currentWidget.content;
  const at = start => notebook.widgets.findIndex(w => w.model.sharedModel.getSource().startsWith(start));
  for (const command of ['application:toggle-left-area', 'application:toggle-right-area']) {
    if (app.commands.isToggled(command)) await app.commands.execute(command);
  }
  const run = async index => { notebook.activeCellIndex = index; await app.commands.execute('notebook:run-cell'); };
  await run(at('from dojo import'));
  notebook.widgets[at('def revenue_on')].model.sharedModel.setSource(answer);
  await run(at('def revenue_on'));
  await run(at(check));
  notebook.activeCellIndex = at('def revenue_on');
  notebook.scrollToItem(at('def revenue_on'), 'start');
}"""


def said() -> str:
    """What the check says to the answer of the picture, as text."""
    names: dict[str, object] = {}
    exec(compile(ANSWER, "answer", "exec"), names)
    return as_text(judge(tasks.get(TASK), KernelWork(names, Path(tempfile.gettempdir()))))


def chunk(kind: bytes, data: bytes) -> bytes:
    """One chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def chunks(png: bytes) -> list[tuple[bytes, bytes]]:
    """The chunks of a PNG: (kind, data)."""
    found, at = [], len(SIGNATURE)
    while at < len(png):
        (size,) = struct.unpack(">I", png[at : at + 4])
        found.append((png[at + 4 : at + 8], png[at + 8 : at + 8 + size]))
        at += 12 + size
    return found


def words(png: bytes) -> str:
    """The words that were drawn, as the picture keeps them."""
    mark = KEYWORD + b"\0" * 5
    return next((data.removeprefix(mark).decode() for kind, data in chunks(png) if data.startswith(mark)), "")


def with_words(png: bytes, text: str) -> bytes:
    """The same picture, keeping a text."""
    head, *rest = chunks(png)
    kept = (b"iTXt", KEYWORD + b"\0" * 5 + text.encode())
    return SIGNATURE + b"".join(chunk(*part) for part in (head, kept, *rest))


def draw(address: str, token: str) -> bytes:
    """The exercise open in JupyterLab, from the answer to the verdict."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as p:
        chromium = p.chromium.launch(executable_path=install.browser(), args=["--no-sandbox", "--disable-gpu"])
        page = chromium.new_page(viewport={"width": 1000, "height": 900}, device_scale_factor=1.5, color_scheme="light")
        page.goto(f"{address}/lab/tree/exercises/00-start-here.ipynb?reset&token={token}")
        ready = "() => window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"
        page.wait_for_function(ready, timeout=90_000)
        page.evaluate(DRIVE, [ANSWER.rstrip(), CHECK])
        page.wait_for_timeout(2_000)
        first = page.locator(".jp-Cell", has_text="def revenue_on").first.bounding_box()
        last = page.locator(".jp-Cell", has_text=CHECK).first.bounding_box()
        top, bottom = first["y"] - 8, last["y"] + last["height"] + 8
        made = page.screenshot(clip={"x": first["x"], "y": top, "width": first["width"], "height": bottom - top})
        chromium.close()
    return made


def main() -> int:
    """Draws the picture and writes it."""
    with tempfile.TemporaryDirectory(prefix="dojo-picture-") as folder:
        root = Path(folder)
        shutil.copytree(COURSE / "exercises", root / "exercises")
        (root / "settings").mkdir()
        (root / "settings" / "jupyter_server_config.json").write_text(
            json.dumps({"LabApp": {"expose_app_in_browser": True}})
        )
        os.environ |= {"JUPYTER_CONFIG_PATH": str(root / "settings"), "DOJO_CHECKPOINTS": str(home() / ".checkpoints")}
        port = lab.free_port(18700)
        command = [part.replace(f"={COURSE}", f"={root}") for part in lab.command(port, browser=False)]
        settings = {**lab.environment("picture"), "DOJO_HOME": str(root / "work")}
        # Nobody's own theme: the settings that JupyterLab comes with.
        settings |= {"JUPYTERLAB_SETTINGS_DIR": str(root / "lab"), "JUPYTER_CONFIG_DIR": str(root / "config")}
        server = subprocess.Popen(command, env=settings, cwd=root, stdin=subprocess.PIPE)
        try:
            if not lab.answers(port, server):
                raise RuntimeError("JupyterLab did not answer; its lines above say why.")
            png = draw(f"http://127.0.0.1:{port}", "picture")
        finally:
            server.terminate()
            server.wait(30)
    TARGET.write_bytes(with_words(png, said()))
    print(f"written {TARGET.relative_to(COURSE)}: {TARGET.stat().st_size / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
