"""What one answer may leave to the next, and what it may use: nothing, and no more than its limits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import replace

import psutil
import pytest

from dojo.judge import namespaces
from dojo.judge.sandbox import LIMITS, SOURCE, isolation
from dojo.judge.verdict import Outcome

needs_walls = pytest.mark.skipif(isolation() != "isolated", reason=f"this machine: {isolation()}")
needs_namespaces = pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="needs root on Linux")

DEEP = "os.chdir({where})\n    for n in range(1500):\n        os.mkdir('d'); os.chdir('d')"
LEFT_BEHIND = {
    "a deep tree in its folder": DEEP.format(where="os.environ['HOME']"),
    "a deep tree in /tmp": DEEP.format(where="'/tmp'"),
    "a folder nobody may enter": "os.makedirs('/tmp/a/b'); os.chmod('/tmp/a', 0)",
    "thousands of files": "os.mkdir('/tmp/m')\n    for n in range(3000): os.mknod(f'/tmp/m/{n}')",
    "a file in shared memory": "open('/dev/shm/answers', 'w').write('remember me')",
    "System V memory": "import ctypes; ctypes.CDLL(None).shmget(0x1234, 1 << 20, 0o1666)",
    "a daemon": "subprocess.Popen(['sh', '-c', 'trap \"\" TERM HUP; (setsid sleep 177 &) ; sleep 177'], start_new_session=True)",
    "a daemon in a namespace of its own": "subprocess.run(['unshare', '-Urpf', 'sh', '-c', '(setsid sleep 177 &)'])",
    "a stopped parent": "for pid in (os.getppid(), 1):\n        try: os.kill(pid, signal.SIGSTOP)\n        except OSError: pass",
    "a killed parent": "for pid in (os.getppid(), 1):\n        try: os.kill(pid, signal.SIGKILL)\n        except OSError: pass",
    "limits on its parent": (
        "for what in (resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE):\n"
        "        for pid in (os.getppid(), 1):\n"
        "            try: resource.prlimit(pid, what, (3, 3))\n            except OSError: pass"
    ),
    "all descriptors": "k = []\n    try:\n        while True: k.append(os.open('/dev/null', 0))\n    except OSError: pass",
    "all threads": (
        "import threading\n    try:\n"
        "        for n in range(5000): threading.Thread(target=time.sleep, args=(30,), daemon=True).start()\n"
        "    except RuntimeError: pass"
    ),
    "a lower priority": "os.setpriority(os.PRIO_USER, 0, 19)",
    "a full /tmp": "open('/tmp/f', 'wb').truncate(1)\n    for k in range(9):\n        open(f'/tmp/f{k}', 'wb').write(bytes(200 << 20))",
    "a full /dev/shm": "for k in range(9):\n        open(f'/dev/shm/f{k}', 'wb').write(bytes(100 << 20))",
}
IMPORTS = "import os, resource, signal, subprocess, time\n"
LOOKS = (
    "import os, subprocess\ndef double(n):\n"
    "    seen = [p for p in os.listdir('/tmp') if not p.startswith('answer-')] + os.listdir('/dev/shm')\n"
    "    shared = open('/proc/sysvipc/shm').read().splitlines()[1:]\n"
    "    others = [p for p in os.listdir('/proc') if p.isdigit() and int(p) not in (1, 2, os.getpid())]\n"
    "    return [seen, shared, others] if seen or shared or others or os.nice(0) else 2 * n"
)


@needs_walls
@pytest.mark.parametrize("name", LEFT_BEHIND)
def test_nothing_of_one_answer_reaches_the_next(name, attacked, sandbox):
    sandbox.start()
    before = sandbox._process.pid
    report = attacked(f"{IMPORTS}def double(n):\n    {LEFT_BEHIND[name]}\n    return 0", then=False)
    assert report.outcome is Outcome.NOT_YET and report.points == 0
    after = attacked(LOOKS)
    assert after.passed, after
    assert sandbox._process.pid == before, "the warm process was out of its reach"


@needs_walls
def test_many_children_have_the_memory_of_one_task(attacked, sandbox, small_task):
    source = (
        "import os, time\ndef double(n):\n    pids = []\n    for _ in range(8):\n        pid = os.fork()\n        if pid == 0:\n"
        "            held = b'x' * (600 << 20); time.sleep(20); os._exit(0)\n        pids.append(pid)\n"
        "    for pid in pids: os.waitpid(pid, 0)\n    return 2 * n"
    )
    sandbox.start()
    warm, peak, over = psutil.Process(sandbox._process.pid), [0], threading.Event()

    def watch():
        while not over.wait(0.05):
            held = 0
            for process in warm.children(recursive=True):
                try:
                    held += process.memory_info().rss
                except psutil.Error:
                    continue
            peak[0] = max(peak[0], held)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        report = attacked(source, replace(small_task, seconds=20.0))
    finally:
        over.set()
        watcher.join()
    assert "memory" in report.verdicts[0].said and report.points == 0
    assert peak[0] < 2 * LIMITS["memory"]


@needs_walls
def test_what_holds_expected_values_cannot_be_imported_or_read(attacked):
    source = (
        "import glob, importlib, os, sys\ndef double(n):\n    found = []\n"
        "    for name in ('dojo.tasks.answers', 'dojo.tasks.m00_start_here', 'dojo.tasks.samples'):\n"
        "        try: importlib.import_module(name); found.append(name)\n        except ImportError: pass\n"
        "    try:\n        import shopflow.truth\n        found += [n for n in vars(shopflow.truth) if not n.startswith('__')]\n"
        "    except (ImportError, OSError): pass\n"
        f"    root = {str(SOURCE)!r}\n"
        "    for path in ('dojo/tasks', 'dojo/quizzes', '../solutions', '../tests', '../exercises', '../work', '../.git'):\n"
        "        found += glob.glob(f'{root}/{path}/*')\n"
        "    for path in glob.glob(f'{root}/shopflow/__pycache__/truth*'):\n"
        "        try: found += [path] * bool(open(path, 'rb').read())\n        except OSError: pass\n"
        "    return found or 2 * n"
    )
    report = attacked(source)
    assert report.passed, report.verdicts


@needs_walls
def test_an_answer_does_not_answer_for_a_real_tool(sandbox):
    source = (
        "import dojo.judge.toolbox as t, os, subprocess\nt.run = lambda *a: {'forged': True}\n"
        "subprocess.run = subprocess.Popen = None\nos.environ['PATH'] = '/tmp'\ndef double(n): return 2 * n"
    )
    with sandbox.task([("cell 1", source)], {}) as work:
        assert work.call("double", 2) == 4
        told = work.tool("git", {"op": "folders", "trees": [{"a.txt": "one"}]})
        assert list(told) == ["paths"] and work.call("double", 3) == 6


@needs_walls
def test_no_process_of_a_room_has_the_pid_of_the_process_it_was_forked_from(sandbox):
    source = "import os\ndef pids():\n    return [os.getpid(), *(os.fork() or os._exit(0) for _ in range(20))]"
    with sandbox.task([("cell 1", source)], {}) as work:
        assert 2 not in work.call("pids")


ORDINARY = """
import json
from dojo.grading import grade_answer
from dojo.judge.sandbox import Sandbox, isolation
from dojo.submission import Answer
from tests_attacks_conftest import RIGHT, TOY

HOSTILE = {
    "stops": "import os, signal\\ndef double(n):\\n    os.kill(os.getppid(), signal.SIGSTOP)\\n    os.kill(1, signal.SIGSTOP)\\n    return 0",
    "limits": "import os, resource\\ndef double(n):\\n    resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE, (3, 3))\\n    return 0",
    "who": "import os\\ndef double(n):\\n    return f'{os.getuid()} {open(\\"/proc/self/status\\").read().split(\\"CapEff:\\")[1].split()[0]}'",
    "mid-frame": "import os, signal, struct, time\\nfrom dojo.judge import plain\\ndef double(n):\\n    v = plain.dumps('x' * 15_000_000); h = b'{\\"ok\\": null}'\\n    b = memoryview(struct.pack('>II', len(h), len(v)) + h + v)\\n    os.write(201, b[:400_000])\\n    os.kill(os.getppid(), signal.SIGSTOP)\\n    while True: pass",
}
found = {"isolation": isolation()}
with Sandbox() as box:
    for name, source in HOSTILE.items():
        report = grade_answer(TOY, Answer([("cell 1", source)], {}), box)
        after = grade_answer(TOY, Answer([("cell 1", RIGHT)], {}), box)
        found[name] = [report.points, report.verdicts[0].got, after.points]
print(json.dumps(found))
"""


@needs_namespaces
def test_an_ordinary_user_s_judge_is_as_far_from_the_answer(tmp_path):
    (tmp_path / "tests_attacks_conftest.py").write_text((SOURCE.parent / "tests/attacks/conftest.py").read_text())
    (tmp_path / "ordinary.py").write_text(textwrap.dedent(ORDINARY))
    command = ["unshare", "--user", "--map-user=1000", "--map-group=1000", sys.executable, str(tmp_path / "ordinary.py")]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=120, env={**os.environ, "PYTHONPATH": str(SOURCE)}
    )
    if "unshare failed" in done.stderr:
        pytest.skip("no user namespaces here")
    found = json.loads(done.stdout)
    if found.pop("isolation") != "isolated":
        pytest.skip("no sandbox for an ordinary user here")
    assert {name: (points, after) for name, (points, _, after) in found.items()} == dict.fromkeys(found, (0, 2))
    assert found["who"][1] == f"{namespaces.INNER_UID} 0000000000000000"


@needs_walls
def test_a_batch_in_one_pair_of_sandboxes_costs_no_neighbour_a_mark(toy):
    from dojo import grading
    from dojo.submission import Cell, Submission

    def handed_in(source):
        return Submission((Cell(1, source, (toy.id,)),), toy.module)

    hostile = f"{IMPORTS}def double(n):\n    {LEFT_BEHIND['a deep tree in /tmp']}\n    return 0"
    right = "def double(n):\n    return 2 * n"
    with grading.warm_sandboxes() as pair:
        points = [grading.grade(handed_in(hostile if n % 3 == 1 else right), "x", *pair).points for n in range(9)]
    assert points == [2, 0, 2] * 3


def test_a_deep_tree_can_be_deleted(tmp_path):
    deep = tmp_path / "deep"
    deep.mkdir()
    here = os.open(deep, os.O_RDONLY)
    for number in range(3000):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
        if number % 500 == 0:
            os.close(os.open("f", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.symlink(tmp_path, "away", dir_fd=here)
    os.close(here)
    begun = time.process_time()
    namespaces.remove_tree(str(deep))
    assert not deep.exists() and tmp_path.exists() and time.process_time() - begun < 30
