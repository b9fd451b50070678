"""environment.yml, pyproject.toml and the locks say the same."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from dojo import install
from dojo.tools import environments

COURSE = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((COURSE / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
LOCKS = [COURSE / install.LOCK, COURSE / install.BROWSER_LOCK, *(t.lock for t in environments.TOOLS.values() if not t.node)]
PYTHONS = [f"3.{minor}" for minor in range(install.SUPPORTED[0][1], install.SUPPORTED[1][1] + 1)]
DIRECT = [*PROJECT["dependencies"], *EXTRAS["build"], *EXTRAS["test"]]


def pins(lock: Path) -> list[Requirement]:
    """The pinned packages of a lock, with their markers."""
    lines = re.findall(r"^([a-zA-Z0-9][^\\\n]*==[^\\\n]*?)\s*\\?$", lock.read_text("utf-8"), re.M)
    return [Requirement(line) for line in lines]


def version_on(lock: Path, name: str, python: str) -> str | None:
    """The version a lock gives a package on Linux with this Python."""
    marks = {"python_full_version": f"{python}.0", "python_version": python, "sys_platform": "linux"}
    for pin in pins(lock):
        same = canonicalize_name(pin.name) == canonicalize_name(name)
        if same and (pin.marker is None or pin.marker.evaluate(marks)):
            return str(pin.specifier).removeprefix("==")
    return None


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("wanted", DIRECT)
def test_the_lock_satisfies_each_direct_dependency(wanted: str, python: str) -> None:
    requirement = Requirement(wanted)
    locked = version_on(COURSE / install.LOCK, requirement.name, python)
    assert locked is not None, f"{requirement.name} is not in {install.LOCK}; CONTRIBUTING.md says how to renew it"
    assert requirement.specifier.contains(locked, prereleases=True)


@pytest.mark.parametrize("wanted", EXTRAS["browser"])
def test_the_browser_lock_satisfies_its_extra(wanted: str) -> None:
    requirement = Requirement(wanted)
    locked = version_on(COURSE / install.BROWSER_LOCK, requirement.name, "3.11")
    assert locked is not None and requirement.specifier.contains(locked)


def test_the_browser_lock_never_moves_a_package_of_the_base() -> None:
    for pin in pins(COURSE / install.BROWSER_LOCK):
        base = version_on(COURSE / install.LOCK, pin.name, "3.11")
        assert base in (None, str(pin.specifier).removeprefix("=="))


@pytest.mark.parametrize("wanted", DIRECT + EXTRAS["browser"])
def test_each_direct_dependency_has_a_floor(wanted: str) -> None:
    operators = {clause.operator for clause in Requirement(wanted).specifier}
    assert operators & {">=", "==", "~="}, f"{wanted}: without a floor old releases are chosen silently"


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_each_pin_of_a_lock_has_hashes(lock: Path) -> None:
    blocks = re.split(r"^(?=[a-zA-Z0-9])", lock.read_text("utf-8"), flags=re.M)[1:]
    assert blocks
    assert [block.split()[0] for block in blocks if "--hash=sha256:" not in block] == []


NODE_LOCKS = [tool.lock for tool in environments.TOOLS.values() if tool.node]


@pytest.mark.parametrize("lock", NODE_LOCKS, ids=lambda path: path.parent.name)
def test_each_node_package_has_a_version_a_hash_and_no_address(lock: Path) -> None:
    packages = {n: p for n, p in json.loads(lock.read_text("utf-8"))["packages"].items() if n}
    assert packages
    assert [n for n, p in packages.items() if not p.get("version") or not p["integrity"].startswith("sha512-")] == []
    assert [n for n, p in packages.items() if "resolved" in p] == []


def test_conda_takes_every_package_from_the_lock() -> None:
    environment = yaml.safe_load((COURSE / "environment.yml").read_text("utf-8"))
    *conda, from_pip = environment["dependencies"]
    assert from_pip == {"pip": [f"-r {install.LOCK}"]}
    assert {re.split("[=<> ]", name)[0] for name in conda} == {"python", "pip", "git"}


def test_conda_takes_a_python_the_course_supports() -> None:
    environment = yaml.safe_load((COURSE / "environment.yml").read_text("utf-8"))
    (python,) = [name for name in environment["dependencies"] if str(name).startswith("python=")]
    assert python.split("=")[1] in SpecifierSet(PROJECT["requires-python"])


@pytest.mark.parametrize("minor", range(9, 17))
def test_installer_and_package_support_the_same_pythons(minor: int) -> None:
    assert install.supported((3, minor)) == (f"3.{minor}" in SpecifierSet(PROJECT["requires-python"]))


@pytest.mark.parametrize("heavy", ["playwright", "soda-core", "nbgrader", "apache-airflow", "prefect", "pyspark"])
def test_heavy_and_closed_tools_stay_out_of_the_base(heavy: str) -> None:
    assert version_on(COURSE / install.LOCK, heavy, "3.11") is None
