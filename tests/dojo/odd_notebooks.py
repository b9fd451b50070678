"""Notebooks as learners really leave them: each with the tasks it answers and what both judges must say of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

OPENS = 'from dojo import start, check, hint, solution, progress\n\nshop = start("00")\nshop'
UPSTREAM = """def upstream(parents, model):
    found = set(parents[model])
    for p in parents[model]:
        found |= upstream(parents, p)
    return found
"""
STUB = '''def upstream(parents, model):
    """All tables that `model` depends on, directly or through others."""
    raise NotImplementedError("your turn")
'''
PARENTS_ONLY = "def upstream(parents, model):\n    return set(parents[model])\n"
REVENUE = """def revenue_on(con, day):
    return con.execute("select coalesce(sum(revenue_eur), 0) from marts.daily_revenue where business_date = ?", [day]).fetchone()[0]
"""
PROMISE = """product: fact_sales
fresh_by: "08:00"
time_zone: Europe/Berlin
quality: true
consumers:
  - finance
  - merchandising
  - demand model
"""
PATH = "docs/promise.yml"
CHOOSE = """def choose_objective(kept, candidates):
    worst = min(sum(kept[n:n + 30]) for n in range(len(kept) - 29))
    return max((c for c in candidates if worst >= round(c * 30, 6)), default=None)
"""


@dataclass(frozen=True)
class Odd:
    """One notebook: its code cells, (source, task) where one is tagged, and the outcome of each task it is tried on."""

    name: str
    cells: tuple[str | tuple[str, str], ...]
    says: dict[str, str]

    def notebook(self) -> dict[str, Any]:
        """The notebook as JupyterLab saves it."""
        made = []
        for n, cell in enumerate(self.cells):
            source, task = cell if isinstance(cell, tuple) else (cell, "")
            tags = {"tags": ["answer", f"task-{task}"]} if task else {}
            made.append(
                {
                    "cell_type": "code",
                    "id": f"c{n}",
                    "metadata": tags,
                    "source": source,
                    "outputs": [],
                    "execution_count": None,
                }
            )
        return {"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def up(name: str, *cells: str | tuple[str, str], says: str = "passed") -> Odd:
    """A notebook that answers 00.2: what stands alone is an answer cell, what stands among others is given its tag by hand."""
    own = ((cells[0], "00.2"),) if len(cells) == 1 and isinstance(cells[0], str) else cells
    return Odd(name, (OPENS, *own, 'check("00.2")'), {"00.2": says})


def tagged(source: str) -> tuple[str, str]:
    """An answer cell of 00.2."""
    return source, "00.2"


def file(name: str, *cells: str | tuple[str, str], says: str = "passed") -> Odd:
    """A notebook that answers 00.5, with a file."""
    return Odd(name, (OPENS, *cells, 'check("00.5")'), {"00.5": says})


def promise(text: str, line: str = PATH) -> tuple[str, str]:
    """An answer cell of 00.5."""
    return f"%%workfile {line}\n{text}", "00.5"


INSIDE = UPSTREAM.replace("    found = set", "{}    found = set", 1)
LOOPED = """def upstream(parents, model):
    found, todo = set(), list(parents[model])
    while todo:
        table = todo.pop()
        if table not in found:
            found.add(table)
            todo += parents[table]
    return found
"""

ODD = (
    # IPython's own syntax
    up("black breaks a line before %", 'print("%s"\n    % "x")\nlabel = (\n    "a %s"\n    % "x"\n)\n' + UPSTREAM),
    up("backslash before %", 'label = "%s" \\\n% "x"\n' + UPSTREAM),
    up("% begins a line of text", 'SQL = """\nselect strftime(day, \'\n%Y-%m\')\n"""\n' + UPSTREAM),
    up("! begins a line of text", 'NOTE = """\n!important\n%time\n"""\n' + UPSTREAM),
    up("%time in the function", INSIDE.format("    %time sorted(parents)\n")),
    up("%time gives its value", INSIDE.format("    known = %time list(parents)\n    assert known\n")),
    up("%timeit in the function", INSIDE.format("    %timeit -n 1 -r 1 len(parents)\n")),
    up("!command in an if", INSIDE.format("    if not parents:\n        !echo empty\n")),
    up("x = !command", "files = !ls\nhere = files.n\n" + UPSTREAM),
    up("x = !command in the function", INSIDE.format("    files = !echo a\n    for _ in files: pass\n")),
    up("f? below the function", UPSTREAM + "\nupstream?\n"),
    up("?f above the function", "?print\n" + UPSTREAM),
    up("%matplotlib and others", "%load_ext autoreload\n%autoreload 2\n" + UPSTREAM),
    up("magic nobody knows", "%no_such_magic at all", tagged(UPSTREAM)),
    up("top-level await", "import asyncio\nwaited = await asyncio.sleep(0, 1)\n" + UPSTREAM),
    up("await in a comprehension", "import asyncio\nall_of = [await asyncio.sleep(0, n) for n in (1, 2)]\n" + UPSTREAM),
    up("async with at top level", "import asyncio\nlock = asyncio.Lock()\nasync with lock:\n    held = True\n" + UPSTREAM),
    up(
        "asyncio.run in the answer",
        "import asyncio\nasync def found(p, m):\n    return walk(p, m)\n"
        + LOOPED.replace("upstream", "walk")
        + "def upstream(parents, model):\n    return asyncio.run(found(parents, model))\n",
    ),
    up("async answer", "async " + PARENTS_ONLY, says="not yet"),
    up("%%time over the answer", "%%time\n" + UPSTREAM),
    up("%%capture over the answer", "%%capture said\nprint('quiet')\n" + UPSTREAM),
    up("%%time over %time", "%%time\n%time loud = 1\n" + UPSTREAM),
    up("%%bash beside the answer", "%%bash\necho hello", tagged(UPSTREAM)),
    up("%%bash around the answer", "%%bash\n" + UPSTREAM, says="not attempted"),
    up("%%timeit around the answer", "%%timeit -n 1 -r 1\n" + UPSTREAM, says="not attempted"),
    up("%%html and %%javascript", "%%html\n<b>x</b>", "%%javascript\nlet upstream = 1", tagged(UPSTREAM)),
    up("%%time over an error", "%%time\n1 / 0\n" + UPSTREAM, says="not yet"),
    up("%%time over an error below", "%%time\n" + UPSTREAM + "1 / 0\n"),
    up("%%time over a syntax error", "%%time\n" + PARENTS_ONLY.replace(":", "", 1), says="not yet"),
    up("%%capture over an error", "%%capture\n1 / 0\n" + UPSTREAM, says="not attempted"),
    up("%%time below a comment", "# how long?\n%%time\n" + UPSTREAM, says="not yet"),
    up("%%no_such_magic around the answer", "%%no_such_magic\n" + UPSTREAM, says="not attempted"),
    up("%%writefile and import", "%%writefile walking.py\n" + LOOPED, tagged("from walking import upstream")),
    up(
        "a prompt of IPython",
        "In [1]: import json\n   ...: pass",
        tagged(UPSTREAM.replace("set(parents[model])", "set(json.loads(json.dumps(parents[model])))")),
    ),
    up(
        "prompts pasted with the code",
        "\n".join(f"{'>>>' if n == 0 else '...'} {line}" for n, line in enumerate(UPSTREAM.split("\n"))),
    ),
    up("indented as a whole", "\n".join(f"    {line}" for line in UPSTREAM.split("\n"))),
    # characters
    up("form feed in a text", 'MARK = "a\x0cb"\nassert len(MARK) == 3\n' + UPSTREAM),
    up("line separator in a text", 'MARK = "a\u2028b\u2029c\x85d"\nassert len(MARK) == 7\n' + UPSTREAM),
    up("file separators in a text", 'MARK = "a\x1cb\x1dc\x1ed"\nassert len(MARK) == 7\n' + UPSTREAM),
    up("form feed between functions", "x = 1\n\x0c\n" + UPSTREAM),
    up("tabs", UPSTREAM.replace("    ", "\t")),
    up("Windows line ends", UPSTREAM.replace("\n", "\r\n")),
    up("names beyond ASCII", "größe = 1\ndef prüfe(ß): return ß\n" + INSIDE.format("    prüfe(größe)\n")),
    # what stands beside the answer
    up(
        "display and get_ipython",
        "display('x')\nget_ipython().run_line_magic('pwd', '')\n" + UPSTREAM + "display(upstream({'a': []}, 'a'))\n",
    ),
    up("course calls around the answer", 'hint("00.2")\n' + UPSTREAM + 'check("00.2")\nprogress("00")\n'),
    up("a query before the answer", 'rows = shop.sql("select 1 as a").df()\nassert len(rows) == 1\n' + UPSTREAM),
    up(
        "a query below the answer",
        UPSTREAM + 'first = shop.sql("select 1 as a, 2 as b").rows[0]\na, b = first\nprint(f"{a:,.2f}")\n',
    ),
    up("the workspace's path", "import os\nhere = shop.path / 'docs'\nassert os.path.isdir(shop.path)\n" + UPSTREAM),
    up("shop inside the answer, unused", INSIDE.format("    shop.today\n    print(shop.key)\n")),
    up("input beside the answer", 'who = input("Your name? ")\n' + UPSTREAM),
    up("exit at the end", UPSTREAM + "exit()\n"),
    up("sys.exit at the end", "import sys\n" + UPSTREAM + "sys.exit(0)\n"),
    up("sys.exit before the answer", "import sys\nsys.exit(0)\n" + UPSTREAM, says="not yet"),
    up("sys.exit in the answer", INSIDE.format("    import sys\n    sys.exit(0)\n"), says="not yet"),
    up("an error below the answer", UPSTREAM + "assert upstream({'a': []}, 'a') == {1}\n"),
    up("an error above the answer", "1 / 0\n" + UPSTREAM, says="not yet"),
    up("syntax error", PARENTS_ONLY.replace(":", "", 1), says="not yet"),
    up("from dojo import *", "from dojo import *\n" + UPSTREAM + 'check("00.2")'),
    up("import dojo", "import dojo\n" + UPSTREAM + 'dojo.check("00.2")'),
    up("only comments", "# nothing yet\n# really", says="not attempted"),
    up("only a text", '"""I do not know."""', says="not attempted"),
    up("a wrong answer", PARENTS_ONLY, says="not yet"),
    up("a value, no function", "upstream = {'fact_sales'}", says="not yet"),
    # names from elsewhere
    up("import in another cell", "import itertools", tagged(INSIDE.format("    itertools.chain()\n"))),
    up("import under another name", "import collections.abc as abc", tagged(INSIDE.format("    abc.Mapping\n"))),
    up("star import in another cell", "from math import *", tagged(INSIDE.format("    sqrt(4)\n"))),
    up("bound by for", "for depth in range(3):\n    pass", tagged(INSIDE.format("    assert depth == 2\n"))),
    up("bound by walrus", "print(limit := 7)", tagged(INSIDE.format("    assert limit == 7\n"))),
    up(
        "bound by with",
        "import contextlib\nwith contextlib.nullcontext(3) as three:\n    pass",
        tagged(INSIDE.format("    assert three == 3\n")),
    ),
    up(
        "bound by match",
        "match [1, 2]:\n    case [one, *rest]:\n        pass",
        tagged(INSIDE.format("    assert rest == [2]\n")),
    ),
    up(
        "bound by an import in try",
        "try:\n    import json as codec\nexcept ImportError:\n    codec = None",
        tagged(INSIDE.format("    codec.dumps(1)\n")),
    ),
    up(
        "bound through global",
        "def settle():\n    global deep\n    deep = 4\nsettle()",
        tagged(INSIDE.format("    assert deep == 4\n")),
    ),
    up("bound in pieces", "total = 1", "total += 2", tagged(INSIDE.format("    assert total == 3\n"))),
    up(
        "filled in another cell",
        "seen = {}",
        "seen['a'] = 1\nseen.update(b=2)",
        tagged(INSIDE.format("    assert len(seen) == 2\n")),
    ),
    up(
        "decorator in another cell",
        "import functools\ndef plain(f):\n    return functools.wraps(f)(lambda *a: f(*a))",
        tagged("@plain\n" + LOOPED),
    ),
    up("default from another cell", "EMPTY = ()", tagged(LOOPED.replace("model)", "model, more=EMPTY)", 1))),
    up(
        "class in another cell",
        "class Walk:\n    def start(self, found):\n        return set(found)",
        tagged(UPSTREAM.replace("set(parents[model])", "Walk().start(parents[model])")),
    ),
    up(
        "helper used by an inner function",
        "def parents_of(parents, m):\n    return parents[m]",
        tagged(
            "def upstream(parents, model):\n    def walk(m):\n        return set(parents_of(parents, m)).union(*map(walk, parents_of(parents, m)))\n    return walk(model)\n"
        ),
    ),
    up(
        "helper in a cell that checks",
        'def parents_of(parents, m):\n    return parents[m]\ncheck("00.1")',
        tagged(UPSTREAM.replace("set(parents[model])", "set(parents_of(parents, model))")),
    ),
    up(
        "helper that shadows a builtin",
        "def sorted(found):\n    return set(found)",
        tagged(UPSTREAM.replace("set(parents[model])", "sorted(parents[model])")),
    ),
    up(
        "helper under %%time",
        "%%time\ndef parents_of(parents, m):\n    return parents[m]",
        tagged(UPSTREAM.replace("set(parents[model])", "set(parents_of(parents, model))")),
    ),
    up(
        "a helper that nobody defined",
        UPSTREAM.replace("set(parents[model])", "set(parents_off(parents, model))"),
        says="not yet",
    ),
    # cells moved about
    up("stub left, answer below", tagged(STUB), UPSTREAM),
    up("stub left, answer below its check", tagged(STUB), 'check("00.2")', UPSTREAM),
    up("wrong answer left, right one below", tagged(PARENTS_ONLY), UPSTREAM),
    up("the stub alone", STUB, says="not attempted"),
    up("the stub twice", tagged(STUB), tagged(STUB), says="not attempted"),
    up("answer twice", tagged(UPSTREAM), tagged(UPSTREAM)),
    up("tags lost", UPSTREAM, "1 + 1"),
    up("lambda in a new cell", tagged(STUB), "upstream = lambda p, m: set(p[m]).union(*(upstream(p, x) for x in p[m]))"),
    up("another name for it", tagged(STUB), UPSTREAM.replace("upstream", "all_above"), "upstream = all_above"),
    up(
        "wrapped below",
        tagged(UPSTREAM),
        "import functools\nkept = upstream\nupstream = functools.wraps(kept)(lambda *a: kept(*a))",
    ),
    # values and files
    Odd(
        "a magic in another module's answer",
        ('from dojo import start, check\nshop = start("11")', ("%time 1\n" + CHOOSE, "11.2"), 'check("11.2")'),
        {"11.2": "passed"},
    ),
    Odd(
        "two tasks, one helper",
        (OPENS, "import decimal", (UPSTREAM, "00.2"), (REVENUE + "decimal.Decimal(1)\n", "00.1"), 'check("00.1")'),
        {"00.1": "passed", "00.2": "passed"},
    ),
    file("a promise", promise(PROMISE)),
    file("a promise by another path", promise(PROMISE, "./docs//promise.yml")),
    file("a promise in quotes", promise(PROMISE, f'"{PATH}"')),
    file("the stub of a promise", promise("# your turn"), says="not attempted"),
    file("a promise below its stub", promise("# your turn"), f"%%workfile {PATH}\n{PROMISE}"),
    file("a stub below the promise", promise(PROMISE), promise("# your turn")),
    file("a form feed in the promise", promise("# a\x0cb\n" + PROMISE), says="not yet"),
    file("Windows line ends in the promise", promise(PROMISE.replace("\n", "\r\n"))),
    file("a promise cut short", promise("product: [fact_sales"), says="not yet"),
    file("a promise after a comment", ("# mine\n" + promise(PROMISE)[0], "00.5"), says="not attempted"),
    file("a promise to another file", promise(PROMISE, "docs/promises.yml"), says="not attempted"),
)
