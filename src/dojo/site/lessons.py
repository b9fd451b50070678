"""Lessons, exercises and solutions as pages: a card on top, live widgets and predictions, links where a file or module is named."""

from __future__ import annotations

import copy
import inspect
import re
from collections.abc import Callable
from html import escape

import nbformat

from dojo.authoring import without_markers
from dojo.debriefing import TAG as DEBRIEF
from dojo.palette import follow_theme
from dojo.site.course import Module, hours
from dojo.widgets import live

FILE_NAMED = re.compile(r"`(?P<folder>notebooks|exercises|solutions)/(?P<stem>[\w-]+)\.ipynb`")
MODULE_NAMED = re.compile(r"\b(?P<word>[Mm]odules?|[Ss]cenario) (?P<key>i?\d\d)\b(?!\.)")
TASK = re.compile(r"^## (?P<id>\w+\.\d+) (?P<title>.+)$", re.M)
FOLDERS = {"notebooks": "lessons", "exercises": "exercises", "solutions": "solutions"}
"""Where the pages of each folder of the course stand in the book."""


def page(cells: list, **metadata: str) -> nbformat.NotebookNode:
    """A notebook as the book reads it, with page metadata such as nosearch."""
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    made = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel, **metadata})
    for number, cell in enumerate(made.cells):
        cell["id"] = f"c{number}"
    return made


def markdown(text: str) -> nbformat.NotebookNode:
    """A markdown cell."""
    return nbformat.v4.new_markdown_cell(text)


def with_links(text: str, modules: list[Module], here: str) -> str:
    """The text with links where it names a notebook of the course or another module; code fences stay as they are."""
    stems = {m.key: m for m in modules}

    def file(found: re.Match) -> str:
        module = stems.get(found["stem"].split("-")[0])
        there = module and (found["folder"] == "notebooks" or module.exercise)
        return f"[{found[0]}](../{FOLDERS[found['folder']]}/{found['stem']}.ipynb)" if there else found[0]

    def module(found: re.Match) -> str:
        wanted = stems.get(found["key"])
        return f"[{found[0]}](../lessons/{wanted.stem}.ipynb)" if wanted and wanted.key != here else found[0]

    text = text.replace("](../book/", "](../")
    return outside_code(text, lambda part: MODULE_NAMED.sub(module, FILE_NAMED.sub(file, part)), spans=False)


def outside_code(text: str, change: Callable[[str], str], *, spans: bool = True) -> str:
    """Applies a change to Markdown but not inside fences, headings, links or HTML, nor (with spans) in `code`."""
    kept = r"^```.*?^```[ \t]*$|^#+ [^\n]*$|\[[^\]]*\]\([^)]*\)|<[^>\n]+>|^\([\w.-]+\)=$" + (r"|`[^`\n]+`" if spans else "")
    parts = re.split(f"({kept})", text, flags=re.M | re.S)
    return "".join(part if number % 2 else change(part) for number, part in enumerate(parts))


def lesson(module: Module, modules: list[Module], chips: str, terms: Callable[[str], str]) -> nbformat.NotebookNode:
    """The page of a lesson. chips: its tags as HTML; terms: links glossary terms in one cell's Markdown."""
    cells = []
    for number, cell in enumerate(module.lesson.cells):
        if cell.cell_type == "markdown":
            text = terms(with_links(cell.source, modules, module.key))
            if number == 0:
                head, _, rest = text.partition("\n")
                cells += [markdown(head), markdown(_card(module, modules, chips)), markdown(rest.strip())]
            else:
                cells.append(markdown(text))
        else:
            cells.append(_shown(cell))
    return page([*cells, markdown(_onward(module))])


def _card(module: Module, modules: list[Module], chips: str) -> str:
    front = module.front
    goals = "".join(f"<li>{escape(goal)}</li>" for goal in front["objectives"])
    by_key = {m.key: m for m in modules}
    needs = [by_key[key] for key in front.get("needs", []) if key in by_key]
    before = ", ".join(f'<a href="{m.stem}.html">{escape(m.number)}</a>' for m in needs) or "nothing"
    doing = f", {front['minutes_do']} min to do on the way" if not module.is_scenario else ""
    task = (
        f'<div><dt>Exercise</dt><dd><a href="../exercises/{module.stem}.html">{len(module.tasks)} tasks</a>, '
        f"{hours(module.minutes_tasks)}, {module.points} points</dd></div>"
        if module.tasks
        else ""
    )
    return (
        f'<section class="dojo-card" aria-label="About this lesson"><p class="dojo-question">{escape(front["question"])}</p>'
        f"<p>Afterwards you can:</p><ul>{goals}</ul><dl>"
        f"<div><dt>Lesson</dt><dd>{front['minutes_read']} min to read{doing}</dd></div>{task}"
        f"<div><dt>Needs</dt><dd>{before}</dd></div></dl>"
        f'<p class="dojo-chips">{chips}</p></section>'
    )


def _onward(module: Module) -> str:
    if not module.exercise:
        return "---"
    return (
        f'<nav class="dojo-onward" aria-label="Onward"><a href="../exercises/{module.stem}.html">The exercise: {len(module.tasks)} tasks, '
        f'{hours(module.minutes_tasks)}</a> <a href="../run.html#run-{module.key}">Run this lesson</a></nav>'
    )


def _shown(cell: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """A code cell with its outputs made for the book."""
    made = copy.deepcopy(cell)
    for output in made.get("outputs", []):
        data = output.get("data", {})
        if "text/html" in data:
            data["text/html"] = in_the_book(str(data["text/html"]))
    return made


def in_the_book(markup: str) -> str:
    """An output's HTML in the colours of the theme; what a widget begins with stays as it is, and its code comes along."""
    # A lesson may check one task twice: two groups may have one name, two landmarks may not.
    markup = markup.replace('<section class="dojo-report"', '<section role="group" class="dojo-report"')
    for name in re.findall(r'data-widget="(\w+)"', markup):
        WIDGETS[name] = live.script(name)
    parts = re.split(r"(data-state='[^']*')", markup)
    return "".join(part if number % 2 else follow_theme(part) for number, part in enumerate(parts))


WIDGETS: dict[str, str] = {}
"""JavaScript of the widgets met so far, by name; written beside the pages."""


def exercise(module: Module, modules: list[Module], terms: Callable[[str], str]) -> nbformat.NotebookNode:
    """The page of an exercise: its cells as a learner first sees them, hints folded under each task, the solution apart."""
    hints = {task.id: task.hints for task in module.tasks}
    cells, current = [], ""
    for number, cell in enumerate(module.exercise.cells if module.exercise else []):
        if cell.cell_type == "markdown":
            found = TASK.search(cell.source)
            if current and (found or cell.source.startswith("## ")):
                cells.append(markdown(_help(current, hints, module)))
                current = ""
            current = found["id"] if found else current
            text = terms(with_links(cell.source, modules, module.key))
            cells.append(markdown(TASK.sub(lambda m: f"(task-{_slug(m['id'])})=\n{m[0]}", text)))
            if number == 0:
                cells.insert(1, markdown(_way_in(module)))
        else:
            cells.append(copy.deepcopy(cell))
    if current:
        cells.append(markdown(_help(current, hints, module)))
    return page(cells)


def _slug(task: str) -> str:
    return task.replace(".", "-")


def _way_in(module: Module) -> str:
    return (
        f'<nav class="dojo-onward" aria-label="Where you are"><a href="../lessons/{module.stem}.html">The lesson</a> '
        f'<a href="../run.html#run-{module.key}">Run this exercise</a></nav>'
    )


def _help(task: str, hints: dict[str, tuple[str, ...]], module: Module) -> str:
    if task not in hints:
        return "---"
    folded = "".join(
        f"<details><summary>Hint {n} of {len(hints[task])}</summary><p>{_marked(hint)}</p></details>"
        for n, hint in enumerate(hints[task], 1)
    )
    return f'<div class="dojo-help">{folded}<p><a href="../solutions/{module.stem}.html#solution-{_slug(task)}">One good answer to {task}</a> (it tells all)</p></div>'


def _marked(text: str) -> str:
    """Escapes, and sets `code` between backticks."""
    parts = escape(inspect.cleandoc(text)).split("`")
    return "".join(part if n % 2 == 0 else f"<code>{part}</code>" for n, part in enumerate(parts))


def solution(module: Module) -> nbformat.NotebookNode:
    """The page of the solutions: a heading a task, everything else folded; kept out of the search."""
    asked = {cell.source for cell in module.exercise.cells} if module.exercise else set()
    intro = (
        f"# Solutions {module.key}: {module.name}\n\nOne good answer to each task of [the exercise](../exercises/{module.stem}.ipynb), "
        "folded, with what its check says. Others are as good; the checks judge what an answer does."
    )
    cells = [markdown(intro)]
    for cell in module.solved.cells if module.solved else []:
        found = TASK.search(cell.source) if cell.cell_type == "markdown" else None
        if found:
            anchor = f"(solution-{_slug(found['id'])})=\n"
            back = f"[What is asked](#task-{_slug(found['id'])})"
            cells.append(markdown(f"{anchor}## {found['id']} {found['title']}\n\n{back}"))
        elif cell.cell_type == "markdown" and DEBRIEF in cell.metadata.get("tags", []):
            cells.append(markdown(folded_sections(cell.source)))
        elif cell.cell_type == "code" and len(cells) > 1:
            cells.append(_folded(cell))
        elif cell.cell_type == "markdown" and len(cells) > 1 and cell.source not in asked:
            cells.append(markdown(cell.source))
    return page(cells, nosearch="true")


def folded_sections(text: str) -> str:
    """Markdown with each section under a third-level heading folded away, and text before the first one left open."""
    before, *sections = re.split(r"^### (.+)\n", text, flags=re.M)
    folded = [
        f":::::{{dropdown}} {title}\n{body.strip()}\n:::::"
        for title, body in zip(sections[::2], sections[1::2], strict=True)
    ]
    return "\n\n".join([before.strip(), *folded]).strip()


def _folded(cell: nbformat.NotebookNode) -> nbformat.NotebookNode:
    made = _shown(cell)
    made["source"] = without_markers(cell.source).rstrip("\n")
    tags = cell.metadata.get("tags", [])
    said = "Show the answer" if "answer" in tags else "Show the query" if DEBRIEF in tags else "Show the check"
    made["metadata"] = {
        "tags": ["hide-cell"],
        "mystnb": {"code_prompt_show": said, "code_prompt_hide": said.replace("Show", "Hide")},
    }
    return made
