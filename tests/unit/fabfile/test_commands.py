"""What a person types, as far as no host is needed: the real ``fab`` in the checkout."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.conftest import ROOT

FAB = Path(sys.executable).with_name("fab")


def fab(
    *words: str, folder: Path = ROOT, program: str = "fab", **env: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [FAB.with_name(program), *words],
        cwd=folder,
        env={**os.environ, "NODRIZA_LAB_STATE": "/nonexistent", **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def seconds(*words: str, **options) -> float:
    """Of the processor: what a busy machine adds by the clock is not ours."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    fab(*words, **options)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@pytest.fixture
def project(tmp_path):
    """A repository of a user's: an inventory and a two-line fabfile."""
    (tmp_path / "fabfile.py").write_text("from nodriza.fabfile import ns\n")
    (tmp_path / "inventories").mkdir()
    source = (ROOT / "inventories" / "three-node.yml").read_text()
    examples = f"{ROOT}/examples/"
    (tmp_path / "inventories" / "mine.yml").write_text(source.replace("../examples/", examples))
    return tmp_path


def test_list__names_every_command_on_a_line_with_words_and_no_node():
    said = fab("--list").stdout
    for word in ("provision", "plan", "render", "deploy", "smoke", "status", "demo"):
        assert f"\n  {word} " in said
    for word in ("lab.up", "lab.down", "lab.ssh", "secrets.rotate", "hostkeys.accept"):
        assert f"\n  {word} " in said
    assert "server-2" not in said


def test_list__takes_well_under_half_a_second():
    assert min(seconds("--list") for _ in range(3)) < 0.5


def test_list__takes_no_longer_with_ten_thousand_nodes(project):
    file = project / "inventories" / "mine.yml"
    file.write_text(file.read_text().replace("server-[2:3]", "server-[2:10001]"))
    assert min(seconds("--list", folder=project) for _ in range(3)) < 0.5
    assert "  mine " in fab("--list", folder=project).stdout


def test_list__loads_nothing_heavy():
    program = (
        "import sys; sys.argv = ['fab', '--list']; sys.path.insert(0, '.'); import fabfile;"
        "print([m for m in ('pydantic', 'rich', 'jinja2', 'httpx', 'pyrage') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


OURS = "from nodriza.fab import main; main()"


def without_fabfile(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """``fab`` as the package brings it, where nothing of ours is read from a fabfile."""
    return subprocess.run(
        [sys.executable, "-c", OURS, *words],
        cwd=folder,
        env={**os.environ, "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("words", [["--list"], ["provision"], ["plan:server-2", "--json"]])
@pytest.mark.parametrize("program", ["fab", "nodriza"])
def test_folder_without_a_fabfile__is_told_with_what_to_type(tmp_path, words, program):
    done = (
        without_fabfile(*words, folder=tmp_path)
        if program == "fab"
        else fab(*words, folder=tmp_path, program=program)
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"there is no fabfile.py in {tmp_path}, nor in a folder above it\n"
        "  kept: nothing was done\n"
        "  next: cd to the folder of your cluster; nodriza init begins a new one\n"
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--", "uptime"], "nothing can stand behind --: uptime"),
        (["-H", "server-1", "--", "uptime"], "nothing can stand behind --: uptime"),
        (["-T", "x", "plan"], "'x' is not a whole number"),
        (["-t", "5e3", "plan"], "'5e3' is not a whole number"),
        (["--list-depth", "x"], "'x' is not a whole number"),
        (["-r", "fabfile.py", "plan"], "--search-root fabfile.py: there is no such folder"),
        (["-r", "x" * 5000, "plan"], "there is no such folder"),
        (["-f", "x" * 5000, "plan"], "File name too long"),
        (["-c", "a.b", "plan"], "there is no a.b.py in"),
        (["-c", "\udcff", "plan"], "there is no ?.py in"),
        (["-H"], "--hosts needs a value behind it"),
        (["-S"], "--ssh-config needs a value behind it"),
        (["\udcff"], "no command and no inventory ?"),
        (["--help=\udcff"], "no command ?"),
    ],
)
def test_line_that_fabrics_own_reader_would_end_with_a_traceback__is_refused(project, words, said):
    done = without_fabfile(*words, folder=project)
    assert done.returncode == 2
    assert done.stdout == ""
    assert said in done.stderr
    assert "  kept: nothing was done\n  next: " in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("text", ["a: [", "- a", "run: 3"])
def test_settings_of_a_person__that_can_not_be_read_are_told(project, text):
    (project / ".fabric.yaml").write_text(text)
    done = without_fabfile("plan:server-2", folder=project)
    assert done.returncode == 2
    assert ".fabric.yaml" in done.stderr
    assert "Traceback" not in done.stderr


def test_bytes_that_are_no_text__reach_the_host_as_they_were_typed():
    from nodriza.ssh.login_shell import in_sh

    line = in_sh("printf '%s' \udcff\udcfe | od -An -tx1")
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["ff", "fe"]


def test_nodriza_alone__says_how_to_begin(tmp_path):
    done = fab(folder=tmp_path, program="nodriza")
    assert done.returncode == 2
    assert "init      write a fabfile and an inventory" in done.stdout


@pytest.mark.parametrize("words", [["provision:server-9"], ["provision", "--target", "server-9"]])
def test_unknown_target__is_refused_with_the_nearest_names(project, words):
    file = project / "inventories" / "mine.yml"
    file.write_text(file.read_text().split("\nlab:")[0] + "\n")
    done = fab(*words, folder=project)
    assert done.returncode == 2
    assert 'target "server-9"' in done.stderr
    assert "server-3" in done.stderr
    assert "no host was touched" in done.stderr


@pytest.mark.parametrize("target", ["server-2,server-3", "server-n", "children", "child"])
def test_target__may_be_a_list_or_a_kind(target):
    said = json.loads(fab(f"plan:{target}", "--json").stdout)
    assert list(said) == ["server-2", "server-3"]


def test_misspelt_inventory__gets_a_suggestion():
    done = fab("vagrnt", "plan")
    assert done.returncode == 2
    assert "did you mean vagrant?" in done.stderr


def test_inventory__is_chosen_by_its_word_and_by_the_environment():
    assert "192.168.56" in fab("vagrant", "plan", "--json").stdout
    assert "192.168.56" in fab("plan", "--json", NODRIZA_INVENTORY="vagrant").stdout
    assert "198.18.7" in fab("plan", "--json").stdout


def test_unknown_inventory_in_the_environment__is_told():
    done = fab("plan", NODRIZA_INVENTORY="nowhere")
    assert done.returncode == 2
    assert "no inventory nowhere" in done.stderr


def test_broken_inventory__is_told_with_its_line_and_no_traceback(project):
    file = project / "inventories" / "mine.yml"
    file.write_text(file.read_text().replace("domain:", "domian:"))
    done = fab("provision", folder=project)
    assert done.returncode == 2
    assert 'did you mean "domain"' in done.stderr
    assert "mine.yml:" in done.stderr
    assert "Traceback" not in done.stderr


def test_lab_that_is_not_up__says_what_to_type():
    done = fab("provision")
    assert done.returncode == 2
    assert "next: fab lab.up" in done.stderr


def test_word_that_names_no_node__is_told_before_anything_about_the_lab():
    done = fab("provision:sever-2")
    assert done.returncode == 2
    assert "did you mean server-2" in done.stderr
    assert "lab" not in done.stderr


def test_render__writes_every_file_with_tokens_for_secrets(tmp_path):
    done = fab("render", "--output", str(tmp_path))
    assert done.returncode == 0
    env = (tmp_path / "server-2/etc/videoteca/videoteca.env").read_text()
    assert "‹secret:mysql_app›" in env
    assert (tmp_path / "server-1/etc/redis/redis.conf").exists()


def test_own_role_and_template__win_over_the_shipped_ones(project):
    (project / "roles").mkdir()
    (project / "roles" / "redis.py").write_text(
        "from nodriza.plan.render import template\n"
        "def redis(node, cluster):\n"
        "    yield template('redis/own.conf.j2', to='/etc/own.conf')\n"
    )
    (project / "templates" / "redis").mkdir(parents=True)
    (project / "templates" / "redis" / "own.conf.j2").write_text("own {{ node.name }}\n")
    plan = json.loads(fab("plan:server-1", "--json", folder=project).stdout)["server-1"]
    (own,) = [item for item in plan if item["id"] == "file:/etc/own.conf"]
    assert own["content"] == "own server-1\n"
    assert own["origin"].endswith("roles/redis.py:3")
    assert not [item for item in plan if item["id"] == "package:redis-server"]


@pytest.mark.parametrize(
    ("role", "words"),
    [
        ("    yield node.variables['nobody']", "KeyError: 'nobody'"),
        ("    yield Package(", "SyntaxError: '(' was never closed"),
        ("    yield __import__('json').loads('')", "JSONDecodeError: Expecting value"),
        ("    yield __import__('no_such_module')", "No module named 'no_such_module'"),
    ],
)
def test_mistake_in_an_own_role__is_told_with_its_line_and_no_traceback(project, role, words):
    (project / "roles").mkdir()
    (project / "roles" / "redis.py").write_text(f"def redis(node, cluster):\n{role}\n")
    done = fab("plan:server-1", folder=project)
    assert done.returncode == 2
    assert "roles/redis.py:2: the role redis does not work for server-1: " in done.stderr
    assert words in done.stderr
    assert "kept: no host was touched" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("told", "kept"), [({}, True), ({"PYTHONDONTWRITEBYTECODE": "1"}, False)])
def test_compiled_code__is_kept_for_the_next_command_unless_python_was_told_not_to(
    tmp_path, monkeypatch, told, kept
):
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    fab("--list", PYTHONPYCACHEPREFIX=str(tmp_path), **told)
    assert any(tmp_path.rglob("fabfile/grammar.*.pyc")) is kept


@pytest.mark.parametrize("program", ["fab", "nodriza"])
def test_version__names_nodriza_and_what_it_stands_on(program):
    lines = fab("--version", program=program).stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["nodriza", "Fabric", "Paramiko", "Invoke"]
