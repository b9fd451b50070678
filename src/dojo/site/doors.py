"""The links that open the course elsewhere: Binder, Codespaces, and a JupyterHub that pulls the notebooks by nbgitpuller."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from dojo.site.course import Module

BINDER = "https://mybinder.org"
FOLDER = "dataops-dojo"
"""What the pulled copy of the course is called in a learner's home."""
BRANCH = "main"
UNKNOWN = "This copy of the book was built without saying where the course is published, so there is no button here."
UNTOLD = "This copy of the book was built without saying where the course is published: put that place for `OWNER/NAME`."


def on_binder(repository: str, path: str) -> str:
    """Binder's link to one file of a GitHub repository ("owner/name"), environment and notebooks from the same commit."""
    return f"{BINDER}/v2/gh/{repository}/HEAD?urlpath={quote(f'lab/tree/{path}', safe='')}"


def git_pull(content: str, path: str, branch: str = BRANCH, folder: str = FOLDER) -> str:
    """What nbgitpuller reads, for after a server's address: pull a branch of `content` into a folder, then open a file of it.

    content: the address Git clones from; path: the file, counted from the repository's top.
    """
    told = {"repo": content, "branch": branch, "targetPath": folder, "urlpath": f"lab/tree/{folder}/{path}"}
    return f"git-pull?{urlencode(told)}"


def on_hub(hub: str, content: str, path: str, branch: str = BRANCH, folder: str = FOLDER) -> str:
    """A link into a JupyterHub, whose address is `hub`: whoever follows it gets newer notebooks pulled and one opened."""
    return f"{hub.rstrip('/')}/hub/user-redirect/{git_pull(content, path, branch, folder)}"


def on_binder_pulling(
    environment: str, ref: str, content: str, path: str, branch: str = BRANCH, folder: str = FOLDER
) -> str:
    """Binder's link with two sources: the environment of one repository at `ref`, the notebooks of `content`."""
    return f"{BINDER}/v2/gh/{environment}/{quote(ref, safe='')}?urlpath={quote(git_pull(content, path, branch, folder), safe='')}"


def fragments(modules: list[Module], repository: str) -> dict[str, str]:
    """The pieces of the pages that lead elsewhere: a link where the repository is known, else words saying how one is made."""
    first = f"notebooks/{modules[0].stem}.ipynb"
    here = f"https://github.com/{repository}" if repository else "https://github.com/OWNER/NAME"
    return {
        "rooms": _rooms(modules, repository),
        "binder": f"[Open the first lesson on Binder]({on_binder(repository, first)})" if repository else UNKNOWN,
        "codespaces": f"[Open a codespace](https://codespaces.new/{repository})" if repository else UNKNOWN,
        "stands_for": "" if repository else UNTOLD,
        "course_address": here,
        "hub_link": on_hub("https://HUB", here, first),
        "binder_pulling": on_binder_pulling(repository or "OWNER/NAME", "REF", here, first),
    }


def _rooms(modules: list[Module], repository: str) -> str:
    parts = []
    for module in modules:
        files = [f"notebooks/{module.stem}.ipynb"] + ([f"exercises/{module.stem}.ipynb"] if module.exercise else [])
        linked = "; ".join(f"[{f}]({on_binder(repository, f)})" if repository else f"`{f}`" for f in files)
        terminal = f"`dojo check {module.tasks[0].id}` judges the first task from a terminal." if module.tasks else ""
        parts.append(f"(run-{module.key})=\n### {module.number}: {module.name}\n\nOpen {linked}. {terminal}")
    return "\n\n".join(parts)
