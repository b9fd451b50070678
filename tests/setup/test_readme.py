"""The README's paste blocks do what they say: one is run from a clone to an open page, the others are held against it.

Run: the first (clone, `make lab`), to the letter but for its two placeholders; the page must answer. Not run again: the block
without make and the one of `make test`, which are the lines that make runs; pip alone, because a second environment of 1.2 GB
by pip takes minutes; PowerShell and conda, because neither is here. Of these, every file, option and name must exist.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tomllib
import urllib.request
from pathlib import Path

import pytest
import yaml

from dojo import install
from dojo.bench import tracked_copy
from dojo.ci import checkouts
from dojo.places import COURSE
from dojo.tools import environments
from dojo.workspace import checkpoints

README = (COURSE / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.M | re.S)
LAB, PLAIN, WINDOWS, CONDA, PIP, TEST, TEST_PLAIN = (text.splitlines() for _, text in BLOCKS)
BIN = install.programs(Path(sys.prefix))


def without(*names: str) -> dict[str, str]:
    """This process's environment without these variables, and without what a make hands down to a make."""
    return {k: v for k, v in os.environ.items() if k not in (*names, "MAKEFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "MFLAGS")}


def said(*command: object) -> str:
    """What a program prints, in the course's folder; it must end well."""
    environment = {**without(), "COLUMNS": "200", "NO_COLOR": "1"}
    done = subprocess.run(
        [str(c) for c in command], cwd=COURSE, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def options(line: str) -> list[str]:
    return [word for word in shlex.split(line) if word.startswith("--")]


def test_each_block_says_which_shell_it_is_for() -> None:
    assert [shell for shell, _ in BLOCKS] == ["bash", "bash", "powershell", "bash", "bash", "bash", "bash"]


# ---------------------------------------------------------------- run


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository to clone: what Git tracks here, as it is now."""
    folder = tracked_copy(tmp_path_factory.mktemp("readme") / "dojo")
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "as it is"]):
        checkouts.git(folder, *words)
    return folder


@pytest.mark.skipif(sys.platform == "win32" or shutil.which("make") is None, reason="a block for make")
def test_the_first_block_leads_from_a_clone_to_an_open_page(repository: Path, tmp_path: Path) -> None:
    block = "\n".join(LAB).replace("<this repository>", str(repository)).replace("<its folder>", repository.name)
    assert "<" not in block
    environment = without("DOJO_HOME", "DISPLAY", "WAYLAND_DISPLAY", "VIRTUAL_ENV")
    # Which Python `python3` is, and the starting states that are there: making them is the work of other tests.
    (tmp_path / "bin").mkdir()
    python = tmp_path / "bin" / "python3"
    python.write_text(f'#!/bin/sh\nexec "{Path(sys.executable).resolve()}" "$@"\n', encoding="utf-8")
    python.chmod(0o755)
    environment |= {"PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}", "DOJO_CHECKPOINTS": str(checkpoints())}
    environment |= {"JUPYTER_DATA_DIR": str(tmp_path / "jupyter")}
    shell = subprocess.Popen(
        ["bash", "-euc", block],
        cwd=tmp_path,
        env=environment,
        text=True,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    heard, url = [], None
    try:
        for line in shell.stdout:
            heard.append(line)
            found = re.search(r"http://127\.0\.0\.1:\S+token=\S+", line)
            if found:
                url = found[0]
                break
        if url is None and "Is a package index in reach?" in "".join(heard):
            pytest.skip("no package index in reach: an environment cannot be made here")
        assert url, "".join(heard)[-3000:]
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        answer = direct.open(url, timeout=60)
        assert answer.status == 200 and "/lab/tree/notebooks/00-start-here.ipynb" in url
        assert (tmp_path / repository.name / ".venv" / "course-stamp").exists()
    finally:
        if shell.poll() is None:
            os.killpg(shell.pid, signal.SIGTERM)
        shell.communicate(timeout=60)
        shutil.rmtree(tmp_path / repository.name, ignore_errors=True)


# ---------------------------------------------------------------- held against what was run


@pytest.mark.skipif(shutil.which("make") is None, reason="compares with what make runs")
@pytest.mark.parametrize(("target", "block"), [("lab", PLAIN), ("test", TEST_PLAIN)])
def test_the_blocks_without_make_are_what_make_runs(target: str, block: list[str]) -> None:
    runs = [line.removeprefix("exec ").strip() for line in said("make", "-n", target).splitlines()]
    runs = [re.sub(r"^if command -v npm .*then (.*); fi$", r"\1", line) for line in runs]
    assert block == runs


def test_the_block_of_powershell_is_the_plain_one_in_windows_words() -> None:
    python, lab = WINDOWS
    assert python.replace("\\", "/").replace("py -3.12", "python3") == PLAIN[0]
    assert lab.replace("\\", "/").replace("Scripts", "bin") == PLAIN[1]
    assert install.supported((3, 12))


def test_the_block_of_conda_names_what_environment_yml_makes() -> None:
    create, activate, course, lab = map(shlex.split, CONDA)
    file = create[create.index("-f") + 1]
    assert yaml.safe_load((COURSE / file).read_text("utf-8"))["name"] == activate[-1]
    assert " ".join(course) in (COURSE / "postBuild").read_text("utf-8"), "Binder goes the same way"
    assert lab == ["dojo", "lab"]


def test_the_block_of_pip_uses_options_that_pip_has_and_what_builds_the_course_is_in_the_lock() -> None:
    known = said(sys.executable, "-m", "pip", "install", "--help")
    installs = [line for line in PIP if " install " in line]
    assert [o for line in installs for o in options(line) if not re.search(rf"{o}\b", known)] == []
    lock = installs[0].split()[-1]
    assert lock == install.LOCK
    builds = tomllib.loads((COURSE / "pyproject.toml").read_text("utf-8"))["build-system"]["requires"]
    locked = (COURSE / lock).read_text("utf-8")
    # --no-build-isolation: what builds the course has to be there already.
    assert all(re.search(rf"^{re.split('[><=]', name)[0]}==", locked, re.M) for name in builds)
    assert PIP[-1] == PLAIN[-1]


def test_every_option_and_tool_of_the_blocks_exists() -> None:
    for line in [*PLAIN, *TEST_PLAIN, *CONDA, *PIP]:
        words = shlex.split(line)
        if words[0].endswith("dojo"):
            name = words[1]
            known = said(BIN / "dojo", name, "--help")
            assert [o for o in options(line) if o not in known] == []
            if name == "tools":
                assert words[2] == "add" and words[3] in environments.TOOLS
        elif "src/dojo/install.py" in line:
            known = said(sys.executable, "-I", COURSE / "src/dojo/install.py", "--help")
            assert [o for o in options(line) if o not in known] == []


# ---------------------------------------------------------------- what else it shows and says


def test_each_file_that_is_linked_is_there() -> None:
    linked = [name.split("#")[0] for name in re.findall(r"\]\(([^)]+)\)", README) if "://" not in name]
    assert linked and [name for name in linked if not (COURSE / name).exists()] == []


def test_the_picture_says_what_the_check_says_and_its_words_are_in_the_alt_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(COURSE / "book")
    import picture

    png = picture.TARGET.read_bytes()
    assert len(png) < 200_000
    now = picture.said()
    assert picture.words(png) == now, "the verdict has changed; draw it anew: .venv/bin/python book/picture.py"
    (alt,) = re.findall(r"!\[([^]]+)\]\(book/assets/verdict\.png\)", README)
    for word in re.findall(r"€[\d,.]+\d", now):
        assert word in alt


def test_make_lab_passes_on_what_the_readme_offers() -> None:
    assert said("make", "-n", "lab", "PORT=8899").rstrip().endswith("lab --port 8899")
    assert re.search(r"lab +--no-browser$", said("make", "-n", "lab", "LAB=--no-browser"), re.M)
    assert said("make", "-n", "lab", "PYTHON=python3.12").startswith("python3.12 ")
