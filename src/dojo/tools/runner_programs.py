"""The programs a CI step finds first on its PATH: dbt and friends from the warm process, and installers that need no network."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from dojo.tools.warm import COMMANDS

_TO_WARM = """#!{python} -IS
import json, os, socket, sys
program = os.path.basename(sys.argv[0])
line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
try:
    line.connect(os.environ["DOJO_WARM"])
    begun = line.recv(1)
except (KeyError, OSError):
    begun = b""
if not begun:
    real = {{"run-module": [{python!r}, "-m"], "run-script": [{python!r}]}}.get(program, [os.path.join({real!r}, program)])
    os.execv(real[0], [*real, *sys.argv[1:]])
asked = {{"program": program, "arguments": sys.argv[1:], "folder": os.getcwd(), "environment": dict(os.environ)}}
data = json.dumps(asked).encode() + b"\\n"
files = [0, 1, 2]
if os.environ.get("DOJO_OWN_TMP"):  # the command must see the /tmp that this process sees
    files += [os.open("/proc/self/ns/" + name, os.O_RDONLY) for name in ("user", "mnt")]
sent = socket.send_fds(line, [data], files)
line.sendall(data[sent:])
code = line.recv(1)
sys.exit(code[0] if code else 1)
"""

_PYTHON = """#!/bin/sh
if [ "$1" = "-m" ]; then
  case "$2" in
    pytest|sqlfluff|pip) tool="$2"; shift 2; exec "$tool" "$@" ;;
    dbt|dbt.cli.main) shift 2; exec dbt "$@" ;;
    *) [ -z "$PYTHONPATH" ] && [ -e "$(echo "$2" | tr . /).py" ] && {{ shift; exec run-module "$@"; }} ;;
  esac
fi
case "$1" in
  *.py) [ -z "$PYTHONPATH" ] && [ -e "$1" ] && exec run-script "$@" ;;
esac
exec {python} "$@"
"""

_PIP = '''#!{python}
"""Installs nothing: says which packages the course's environment holds, and fails for one that it does not."""
import re, sys
from importlib import metadata
from pathlib import Path
arguments = sys.argv[1:]
if arguments[:1] != ["install"]:
    sys.exit(0)
wanted, at = [], 1
while at < len(arguments):
    if arguments[at] in ("-r", "--requirement", "-c", "--constraint"):
        path = Path(arguments[at + 1])
        if not path.is_file():
            sys.exit(f"ERROR: Could not open requirements file: {{path}}")
        if arguments[at].startswith(("-r", "--r")):
            wanted += [line.split("#")[0].strip() for line in path.read_text().splitlines()]
        at += 1
    elif not arguments[at].startswith("-"):
        wanted.append(arguments[at])
    at += 1
for line in wanted:
    name = re.match(r"[A-Za-z0-9._-]*", line)[0]
    if name and name.strip(".") and name not in ("pip", "uv", "setuptools", "wheel"):
        try:
            print(f"offline runner, already installed: {{name}} {{metadata.version(name)}}")
        except metadata.PackageNotFoundError:
            sys.exit(f"ERROR: No matching distribution found for {{name}} (this runner is offline)")
'''

_UV = """#!/bin/sh
case "$1" in
  run) shift; while :; do case "$1" in --with|--group|--extra|-p|--python|--project) shift 2 ;; --*) shift ;; *) break ;; esac; done; exec "$@" ;;
  pip) shift; exec pip "$@" ;;
  tool) [ "$2" = run ] && { shift 2; exec "$@"; } ;;
esac
echo "offline runner: uv $1 does nothing here, the packages are installed"
"""
_UVX = """#!/bin/sh
while :; do case "$1" in --from|--with) shift 2 ;; --*) shift ;; *) break ;; esac; done
exec "$@"
"""


def write(folder: Path) -> None:
    """Writes the programs into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    python = sys.executable
    texts = {name: _TO_WARM.format(python=python, real=str(Path(python).parent)) for name in COMMANDS}
    texts |= dict.fromkeys(("python", "python3"), _PYTHON.format(python=shlex.quote(python)))
    texts |= dict.fromkeys(("pip", "pip3"), _PIP.format(python=python))
    texts |= {"uv": _UV, "uvx": _UVX}
    for name, text in texts.items():
        path = folder / name
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)
