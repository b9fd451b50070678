"""The other doors: what a page tells an operator to type is accepted, pulled notebooks keep a learner's work, links open what they say."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from dojo.places import COURSE
from dojo.site import doors
from dojo.site.course import modules
from dojo.tools import environments

PAGES = COURSE / "book" / "pages"
BIN = Path(sys.executable).parent
needs_binder = pytest.mark.skipif(
    not environments.is_added("binder"), reason="the tools of Binder and hubs are not here (dojo tools add binder)"
)
posix = pytest.mark.skipif(os.name == "nt", reason="these doors run Linux")


def blocks(page: str, language: str) -> list[str]:
    """The code blocks of a page in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", (PAGES / f"{page}.md").read_text("utf-8"), re.M | re.S)


def in_binder_tools(code: str, *arguments: object) -> str:
    """What a program prints that runs where repo2docker, JupyterHub and nbgitpuller are."""
    done = environments.run("binder", ["python", "-c", code, *map(str, arguments)])
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


# Links


def pulled(link: str) -> dict[str, str]:
    """What nbgitpuller reads from a link."""
    return {name: values[0] for name, values in parse_qs(urlsplit(link).query).items()}


@pytest.mark.parametrize("hub", ["https://hub.example.org", "https://hub.example.org/", "https://example.org/jupyter/"])
def test_a_hub_link_pulls_the_course_and_opens_a_notebook_of_the_pulled_copy(hub) -> None:
    link = doors.on_hub(hub, "https://github.com/owner/name", "notebooks/00.ipynb", branch="main", folder="dojo")
    assert urlsplit(link).path == f"{urlsplit(hub).path.rstrip('/')}/hub/user-redirect/git-pull"
    assert pulled(link) == {
        "repo": "https://github.com/owner/name",
        "branch": "main",
        "targetPath": "dojo",
        "urlpath": "lab/tree/dojo/notebooks/00.ipynb",
    }


def test_a_binder_link_with_two_sources_survives_being_read_twice() -> None:
    content = "https://github.com/other/notebooks"
    link = doors.on_binder_pulling("owner/name", "v1", content, "notebooks/00.ipynb")
    assert urlsplit(link).path == "/v2/gh/owner/name/v1"
    inner = pulled(link)["urlpath"]
    assert inner.startswith("git-pull?") and pulled(inner)["repo"] == content
    assert pulled(inner)["urlpath"] == f"lab/tree/{doors.FOLDER}/notebooks/00.ipynb"


def test_every_link_of_the_doors_names_a_file_that_is_there() -> None:
    pieces = doors.fragments(modules(), "owner/name")
    named = re.findall(r"lab%2Ftree%2F([\w%.-]+?\.ipynb)", pieces["rooms"])
    assert len(named) >= len(modules())
    assert [path for path in named if not (COURSE / path.replace("%2F", "/")).exists()] == []


@pytest.mark.parametrize("page", sorted(path.stem for path in PAGES.glob("run-*.md")))
def test_every_door_says_what_was_tried_and_is_named_on_the_overview(page) -> None:
    sections = re.findall(r"^## (.*)$", (PAGES / f"{page}.md").read_text("utf-8"), re.M)
    assert sections[-1] == "What was tried"
    assert f"]({page}.md)" in (PAGES / "run.md").read_text("utf-8")


# JupyterHub


HUB = """
import json, sys
from traitlets.config import PyFileConfigLoader
from jupyterhub.app import JupyterHub
from jupyterhub.spawner import Spawner
from kubespawner import KubeSpawner
loader = PyFileConfigLoader("hub.py", path=sys.argv[1])
loader.load_config()
config = loader.config
unknown = [f"{kind.__name__}.{name}" for kind in (JupyterHub, Spawner, KubeSpawner)
           for name in config.get(kind.__name__, {}) if name not in kind.class_traits(config=True)]
spawner = KubeSpawner.__new__(KubeSpawner)  # without asking for a cluster; each value is validated as it is set
for section in ("Spawner", "KubeSpawner"):
    for name, value in config[section].items():
        setattr(spawner, name, value)
print(json.dumps({"unknown": unknown, "sections": sorted(config), "limit": spawner.mem_limit, "cpu": spawner.cpu_limit,
                  "environment": spawner.environment, "root": spawner.notebook_dir, "cmd": list(spawner.cmd),
                  "url": spawner.default_url, "image": spawner.image}))
"""


@needs_binder
def test_jupyterhub_accepts_the_settings_that_the_page_gives(tmp_path) -> None:
    (tmp_path / "hub.py").write_text("\n".join(blocks("run-jupyterhub", "python")), encoding="utf-8")
    told = json.loads(in_binder_tools(HUB, tmp_path).splitlines()[-1])
    assert told["unknown"] == [] and told["sections"] == ["JupyterHub", "KubeSpawner", "Spawner"]
    assert told["limit"] == 2 << 30 and told["cpu"] == 2 and told["cmd"] == ["jupyterhub-singleuser"]
    assert told["environment"]["DOJO_HOME"].startswith(told["root"] + "/"), "progress must lie on the home that is kept"
    assert not told["environment"]["DOJO_CHECKPOINTS"].startswith(told["root"]), "the image's own states, not the home's"


@needs_binder
def test_the_chart_and_the_configuration_say_the_same(tmp_path) -> None:
    (tmp_path / "hub.py").write_text("\n".join(blocks("run-jupyterhub", "python")), encoding="utf-8")
    told = json.loads(in_binder_tools(HUB, tmp_path).splitlines()[-1])
    (chart,) = map(yaml.safe_load, blocks("run-jupyterhub", "yaml"))
    user = chart["singleuser"]
    assert user["extraEnv"] == told["environment"] and user["defaultUrl"] == told["url"] and [user["cmd"]] == told["cmd"]
    assert f"{user['image']['name']}:{user['image']['tag']}" == told["image"]
    assert user["memory"]["limit"] == "2G" and user["cpu"]["limit"] == told["cpu"]
    assert chart["hub"]["config"]["Spawner"]["notebook_dir"] == told["root"]


# nbgitpuller


PULL = """
import sys
from nbgitpuller.pull import GitPuller
for line in GitPuller(sys.argv[1], sys.argv[2], branch="main").pull():
    print(line, end="")
"""


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "protocol.file.allow=always"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


@needs_binder
@posix
def test_a_second_pull_brings_news_and_keeps_what_the_learner_changed(tmp_path) -> None:
    course, home = tmp_path / "course", tmp_path / "home" / doors.FOLDER
    (course / "exercises").mkdir(parents=True)
    (home.parent).mkdir()
    git(tmp_path, "init", "-q", "-b", "main", str(course))
    files = {name: course / "exercises" / name for name in ("worked-on", "untouched", "begun-again", "same-lines")}
    for name, path in files.items():
        path.write_text(f"{name}\nanswer: ...\n\n\nkey points\n", encoding="utf-8")
    (course / ".gitignore").write_text("work/\n", encoding="utf-8")
    git(course, "add", ".")
    git(course, "commit", "-q", "-m", "first")
    in_binder_tools(PULL, course.as_uri(), home)
    mine = {name: home / "exercises" / name for name in files}
    mine["worked-on"].write_text(mine["worked-on"].read_text().replace("...", "42"), encoding="utf-8")
    mine["same-lines"].write_text(mine["same-lines"].read_text().replace("...", "mine"), encoding="utf-8")
    mine["begun-again"].unlink()
    (home / "work").mkdir()
    (home / "work" / "progress.sqlite").write_text("kept", encoding="utf-8")
    for name in ("worked-on", "untouched"):
        files[name].write_text(files[name].read_text().replace("key points", "better points"), encoding="utf-8")
    files["same-lines"].write_text(files["same-lines"].read_text().replace("...", "theirs"), encoding="utf-8")
    git(course, "commit", "-q", "-am", "second")
    in_binder_tools(PULL, course.as_uri(), home)
    assert "answer: 42" in mine["worked-on"].read_text() and "better points" in mine["worked-on"].read_text()
    assert "better points" in mine["untouched"].read_text()
    assert "answer: mine" in mine["same-lines"].read_text()
    assert "answer: ..." in mine["begun-again"].read_text(), "a deleted file comes back fresh"
    assert (home / "work" / "progress.sqlite").read_text() == "kept"


def test_the_images_install_nbgitpuller_by_hash_and_learners_at_home_do_not() -> None:
    lock = environments.LOCKS / "nbgitpuller.lock"
    assert re.fullmatch(r"nbgitpuller==[\d.]+ \\\n(    --hash=sha256:\w{64}( \\)?\n)+", lock.read_text("utf-8"))
    asked = f"--no-deps --require-hashes -r {lock.relative_to(COURSE).as_posix()}"
    assert asked in (COURSE / "postBuild").read_text("utf-8")
    assert lock.read_text("utf-8").split(" ")[0] in environments.get("binder").lock.read_text("utf-8")
    assert "nbgitpuller" not in (COURSE / "requirements.lock").read_text("utf-8")


# Binder's image, as far as it can be seen without a container engine


@pytest.fixture(scope="module")
def dockerfile(tmp_path_factory) -> str:
    """What repo2docker would build from the tracked files, as it prints it; nothing is built."""
    if not environments.is_added("binder"):
        pytest.skip("the tools of Binder and hubs are not here (dojo tools add binder)")
    if os.name == "nt":
        pytest.skip("repo2docker runs on Linux and macOS")
    folder = tmp_path_factory.mktemp("image")
    for name in ("environment.yml", "requirements.lock", "postBuild", "start", "pyproject.toml"):
        (folder / name).write_bytes((COURSE / name).read_bytes())
        (folder / name).chmod((COURSE / name).stat().st_mode)
    who = ["--user-id", "1000", "--user-name", "jovyan"]
    said = environments.run("binder", ["jupyter-repo2docker", "--no-build", "--debug", *who, str(folder)])
    assert said.returncode == 0, said.stderr[-2000:]
    return said.stdout + said.stderr


def test_repo2docker_takes_the_one_environment_and_nothing_else(dockerfile) -> None:
    assert "Building conda environment for python=3.11" in dockerfile
    assert re.search(r"env update -p \$\{NB_PYTHON_PREFIX\} --file \"environment\.yml\"", dockerfile)
    assert "pip install" not in dockerfile, "a requirements.txt or a setup would be a second way"


def test_the_whole_repository_is_there_before_the_environment_is_made(dockerfile) -> None:
    """environment.yml points to requirements.lock, so it is of no use alone."""
    copied = dockerfile.index("COPY --chown=1000:1000 src/ ${REPO_DIR}/")
    assert copied < dockerfile.index("env update") < dockerfile.index("RUN ./postBuild") < dockerfile.index("/start")


def test_nothing_of_ours_runs_as_root(dockerfile) -> None:
    user = ""
    ours = ("environment.yml", "./postBuild", "${REPO_DIR}/start", "chmod +x postBuild")
    for line in re.sub(r"\\\n", " ", dockerfile).splitlines():
        user = line.split()[1] if line.startswith("USER ") else user
        if line.startswith("RUN ") and any(name in line for name in ours):
            assert user == "${NB_USER}", line
    assert user == "${NB_USER}"
    assert 'ENV R2D_ENTRYPOINT="${REPO_DIR}/start"' in dockerfile


@needs_binder
def test_the_command_that_builds_a_hubs_image_is_one_that_repo2docker_knows() -> None:
    (command,) = [b for b in blocks("run-jupyterhub", "") if b.startswith("jupyter-repo2docker")]
    options = set(re.findall(r"--[a-z-]+", command))
    said = environments.run("binder", ["jupyter-repo2docker", "--help"]).stdout
    assert len(options) >= 4 and options <= set(re.findall(r"--[a-z-]+", said))
    assert "--target-repo-dir /srv/dojo" in " ".join(command.split())


# Codespaces


def answer(port: int, origin: str) -> int:
    """The status of a WebSocket's first request from a page of that origin, seen as a codespace passes it on."""
    asked = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    asked |= {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Host": f"localhost:{port}", "Origin": origin}
    head = "".join(f"{name}: {value}\r\n" for name, value in asked.items())
    with socket.create_connection(("127.0.0.1", port), timeout=20) as line:
        line.sendall(f"GET /api/events/subscribe HTTP/1.1\r\n{head}\r\n".encode())
        return int(line.recv(64).split()[1])


@pytest.fixture
def in_a_codespace(tmp_path):
    """A Jupyter server under the dev container's settings, in the environment that a codespace gives; its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    told = {"CODESPACE_NAME": "octo-adventure-x", "GITHUB_CODESPACES_PORT_FORWARDING_DOMAIN": "app.github.dev"}
    told |= {"JUPYTER_CONFIG_PATH": str(COURSE / ".devcontainer" / "jupyter"), "JUPYTER_RUNTIME_DIR": str(tmp_path)}
    told |= {"JUPYTER_CONFIG_DIR": str(tmp_path), "HOME": str(tmp_path)}
    command = [sys.executable, "-m", "jupyter_server", f"--port={port}", "--no-browser", "--allow-root"]
    command += ["--ServerApp.port_retries=0", f"--ServerApp.root_dir={tmp_path}", "--IdentityProvider.token="]
    server = subprocess.Popen(command, env={**os.environ, **told}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline and server.poll() is None:
            try:
                urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"http://127.0.0.1:{port}/api", timeout=5)
                break
            except (urllib.error.URLError, OSError):
                time.sleep(0.2)
        yield port
    finally:
        server.terminate()
        server.wait(30)


@posix
def test_in_a_codespace_kernels_answer_to_its_own_address_and_to_no_other(in_a_codespace) -> None:
    assert answer(in_a_codespace, "https://octo-adventure-x-8899.app.github.dev") == 101
    for stranger in (
        "https://octo-adventure-y-8899.app.github.dev",
        "https://octo-adventure-x-8899.app.github.dev.example.org",
    ):
        assert answer(in_a_codespace, stranger) == 403


def test_the_dev_container_hands_its_settings_to_jupyter() -> None:
    container = json.loads((COURSE / ".devcontainer" / "devcontainer.json").read_text("utf-8"))
    told = container["remoteEnv"]["JUPYTER_CONFIG_PATH"].replace("${containerWorkspaceFolder}", str(COURSE))
    assert (Path(told) / "jupyter_server_config.py").exists()
    assert f"--port {container['forwardPorts'][0]}" in container["postAttachCommand"]


# A JupyterLab or a VS Code that is there already


ELSEWHERE = """
import sys
from jupyter_client.manager import start_new_kernel
manager, client = start_new_kernel(kernel_name="dataops-dojo", startup_timeout=90)
said = []
for code in ("from dojo import *", "shop = start('00')", "import sys; print(sys.executable); print(check('00.1'))"):
    client.execute_interactive(code, timeout=240, output_hook=lambda m: said.append(str(m["content"])))
manager.shutdown_kernel(now=True)
print("\\n".join(said))
"""


@posix
def test_a_jupyter_elsewhere_runs_the_course_through_its_kernel(tmp_path, learner, monkeypatch) -> None:
    (command,) = [b for b in blocks("run-jupyterlab", "") if "ipykernel install" in b]
    words = command.split()
    assert words[:4] == [".venv/bin/python", "-m", "ipykernel", "install"] and "--user" in words
    kept = [word for word in words[1:] if word != "--user"]
    text = command.split("--display-name")[1].strip().strip('"')
    kept = [*kept[: kept.index("--display-name") + 1], text, "--prefix", str(tmp_path)]
    subprocess.run([sys.executable, *kept], check=True, capture_output=True)
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "share" / "jupyter"))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setenv("DOJO_CHECKPOINTS", os.environ.get("DOJO_CHECKPOINTS", str(COURSE / "work" / ".checkpoints")))
    done = subprocess.run([sys.executable, "-c", ELSEWHERE], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert sys.executable in done.stdout and "Not attempted" in done.stdout, done.stdout


def test_vs_code_finds_the_widgets_script_in_the_environment() -> None:
    """Where it may not or cannot download, it looks into the environment's nbextensions."""
    folder = Path(sys.prefix) / "share" / "jupyter" / "nbextensions" / "anywidget"
    assert "nbextensions/anywidget/index" in (folder / "extension.js").read_text("utf-8")
    assert (folder / "index.js").stat().st_size > 1000
