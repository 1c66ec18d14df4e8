"""Which files of an application travel: what git says, and without git what looks harmless."""

from __future__ import annotations

import os
import subprocess

import pytest

from nodriza.errors import SourceError
from nodriza.source.git import EXECUTABLE, LINK
from nodriza.source.tree import is_secretive, read_source

ME = ("-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "protocol.file.allow=always")


def git(folder, *words):
    clean = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    subprocess.run(["git", "-C", folder, *ME, *words], check=True, capture_output=True, env=clean)


def make(folder, **files):
    for name, text in files.items():
        path = folder / (name if "/" in name else name.replace("__", "/"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@pytest.fixture
def shop(tmp_path):
    """A checkout with one commit, tagged v1."""
    folder = tmp_path / "shop"
    make(
        folder,
        **{"manage.py": "v1", "shop__settings.py": "v1", ".gitignore": ".env\n*.log\nvar/\n"},
    )
    git(tmp_path, "init", "-q", "-b", "main", "shop")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "one")
    git(folder, "tag", "v1")
    return folder


def names(source):
    return [entry.name for entry in source.entries]


def contents(source):
    return {entry.name: entry.read().decode() for entry in source.entries}


def said(source):
    return "\n".join(source.notes)


PLAIN = [".gitignore", "manage.py", "shop/settings.py"]


def test_working_tree__is_what_git_tracks_or_would_track_and_the_rest_is_reported(shop):
    make(shop, **{".env": "SECRET", "var__x": "1", "debug.log": "x", "new.py": "n"})
    make(shop, **{"manage.py": "v2"})
    source = read_source(shop)
    assert names(source) == [".gitignore", "manage.py", "new.py", "shop/settings.py"]
    assert contents(source)["manage.py"] == "v2"
    assert "changed and not committed, deployed as they are: manage.py" in said(source)
    assert "new to git, deployed as they are: new.py" in said(source)
    assert "ignored by git, and left out: .env, debug.log, var/" in said(source)
    assert source.label.endswith(" and 2 uncommitted files")


def test_clean_tree__has_its_commit_and_nothing_to_report(shop):
    source = read_source(shop)
    assert names(source) == PLAIN
    assert source.notes == ()
    assert source.label == f"commit {source.commit[:10]}"


def test_ref__is_the_commit_whatever_lies_in_the_working_tree(shop):
    make(shop, **{"manage.py": "v2", "new.py": "n"})
    git(shop, "add", ".")
    git(shop, "commit", "-qm", "two")
    make(shop, **{"manage.py": "v3"})
    (shop / "shop/settings.py").unlink()
    for ref, text in (("v1", "v1"), ("main", "v2"), ("HEAD~1", "v1")):
        source = read_source(shop, ref)
        assert contents(source)["manage.py"] == text
        assert "shop/settings.py" in names(source)
        assert source.notes == ()


def test_ref__keeps_links_executables_and_odd_names(shop):
    make(shop, **{"run.sh": "#!", "ñandú – 名.txt": "ü"})
    (shop / "run.sh").chmod(0o755)
    (shop / "link").symlink_to("manage.py")
    git(shop, "add", ".")
    git(shop, "commit", "-qm", "two")
    for source in (read_source(shop), read_source(shop, "HEAD")):
        modes = {entry.name: entry.mode for entry in source.entries}
        assert modes["run.sh"] == EXECUTABLE
        assert modes["link"] == LINK
        assert contents(source)["link"] == "manage.py"
        assert contents(source)["ñandú – 名.txt"] == "ü"


@pytest.mark.parametrize("ref", ["v2", "mian", "--output=x", "", "v1..main", "0" * 40])
def test_ref__that_git_does_not_know_is_refused_with_the_near_word(shop, ref):
    if not ref:
        return
    with pytest.raises(SourceError, match="git knows no commit") as error:
        read_source(shop, ref)
    assert error.value.exit_code == 2
    assert error.value.kept == "nothing was sent"
    if ref == "mian":
        assert "did you mean main?" in str(error.value)


def test_part_of_a_checkout__has_its_own_names(shop):
    make(shop, **{"shop__new.py": "n", "outside.py": "n"})
    source = read_source(shop / "shop")
    assert names(source) == ["new.py", "settings.py"]
    assert "new to git, deployed as they are: new.py" in said(source)
    assert names(read_source(shop / "shop", "v1")) == ["settings.py"]


def test_worktree__is_read_like_any_other(shop, tmp_path):
    git(shop, "worktree", "add", "-q", tmp_path / "other", "v1")
    assert names(read_source(tmp_path / "other")) == PLAIN


def test_submodule__travels_with_its_own_ignored_and_changed_files(shop, tmp_path):
    inner = make(tmp_path / "inner", **{"lib.py": "v1", ".gitignore": "*.key\n"})
    git(tmp_path, "init", "-q", "inner")
    git(inner, "add", ".")
    git(inner, "commit", "-qm", "one")
    git(shop, "submodule", "--quiet", "add", str(inner), "vendor")
    git(shop, "commit", "-qm", "two")
    make(shop / "vendor", **{"lib.py": "v2", "private.key": "SECRET"})
    tree, commit = read_source(shop), read_source(shop, "HEAD")
    assert contents(tree)["vendor/lib.py"] == "v2"
    assert contents(commit)["vendor/lib.py"] == "v1"
    assert "vendor/private.key" not in names(tree)
    assert "vendor/lib.py" in said(tree)


def test_submodule_that_is_not_checked_out__ends_the_deploy(shop, tmp_path):
    test_submodule__travels_with_its_own_ignored_and_changed_files(shop, tmp_path)
    git(shop, "submodule", "deinit", "--force", "vendor")
    for ref in ("", "HEAD"):
        with pytest.raises(SourceError, match="submodule vendor is not checked out") as error:
            read_source(shop, ref)
        assert error.value.do == "git submodule update --init --recursive"


@pytest.mark.parametrize("ref", ["", "v1"])
def test_variables_of_a_hook__do_not_lead_to_another_repository(shop, tmp_path, monkeypatch, ref):
    git(tmp_path, "init", "-q", "other")
    for name, value in {
        "GIT_DIR": tmp_path / "other/.git",
        "GIT_WORK_TREE": tmp_path / "other",
        "GIT_INDEX_FILE": tmp_path / "nowhere",
        "GIT_OBJECT_DIRECTORY": tmp_path / "other/.git/objects",
        "GIT_CEILING_DIRECTORIES": tmp_path,
        "GIT_NAMESPACE": "x",
        "GIT_CONFIG_PARAMETERS": "'core.bare'='true'",
    }.items():
        monkeypatch.setenv(name, str(value))
    assert names(read_source(shop, ref)) == PLAIN


def broken_index(shop):
    (shop / ".git/index").write_bytes(b"no index")


def broken_head(shop):
    (shop / ".git/HEAD").write_text("nonsense\n")


def unknown_extension(shop):
    git(shop, "config", "core.repositoryformatversion", "1")
    git(shop, "config", "extensions.fromTheFuture", "true")


def half_a_checkout(shop):
    (shop / ".git/objects").rename(shop / ".git/gone")


def lost_worktree(shop):
    git(shop, "worktree", "add", "-q", shop / "var/wt", "v1")
    (shop / ".git").rename(shop / ".gone")
    (shop / ".git").write_text("gitdir: /nowhere\n")


def unfinished_merge(shop):
    git(shop, "checkout", "-q", "-b", "a")
    make(shop, **{"manage.py": "a"})
    git(shop, "commit", "-qam", "a")
    git(shop, "checkout", "-q", "main")
    make(shop, **{"manage.py": "b"})
    git(shop, "commit", "-qam", "b")
    with pytest.raises(subprocess.CalledProcessError):
        git(shop, "merge", "a")


def foreign_owner(shop):
    for path in (shop, *shop.rglob("*")):
        os.chown(path, 65534, 65534, follow_symlinks=False)


@pytest.mark.parametrize(
    "harm",
    [
        broken_index,
        broken_head,
        unknown_extension,
        half_a_checkout,
        lost_worktree,
        unfinished_merge,
        pytest.param(
            foreign_owner, marks=pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
        ),
    ],
)
def test_error_of_git__is_never_an_empty_answer(shop, harm):
    make(shop, **{".env": "SECRET"})
    harm(shop)
    with pytest.raises(SourceError) as error:
        read_source(shop)
    assert error.value.kept == "nothing was sent"
    if harm is foreign_owner:
        assert "dubious ownership" in error.value.what
        assert error.value.do == f"git config --global --add safe.directory {shop}"


def test_checkout_without_git_installed__is_refused(shop, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SourceError, match="git is not installed"):
        read_source(shop)


def test_sparse_checkout__does_not_lose_files_in_silence(shop):
    git(shop, "sparse-checkout", "set", "--no-cone", "/manage.py")
    with pytest.raises(SourceError, match="not in the working tree"):
        read_source(shop)
    assert names(read_source(shop, "HEAD")) == PLAIN


def test_deleted_file__does_not_travel_and_is_reported(shop):
    (shop / "shop/settings.py").unlink()
    source = read_source(shop)
    assert "shop/settings.py" not in names(source)
    assert "shop/settings.py" in said(source)


def test_checkout_before_its_first_commit__travels(tmp_path):
    make(tmp_path, **{"manage.py": "x"})
    git(tmp_path, "init", "-q")
    source = read_source(tmp_path)
    assert names(source) == ["manage.py"]
    assert source.label == ""


def test_folder_that_git_ignores__is_no_empty_release(shop):
    make(shop, **{"var__app__manage.py": "x"})
    with pytest.raises(SourceError, match="git tracks no file here, and ignores the folder"):
        read_source(shop / "var/app")


def test_include__brings_what_git_ignores_and_says_so(shop):
    make(shop, **{".gitignore": "dist/\n.env\n", "dist__app.js": "js", ".env": "x"})
    source = read_source(shop, include=("dist",))
    assert "dist/app.js" in names(source)
    assert ".env" not in names(source)
    assert "deployed because app.include names them: dist/app.js" in said(source)
    assert "dist" not in said(source).partition("left out:")[2]
    assert "dist/app.js" in names(read_source(shop, "v1", include=("dist",)))


def test_pointer_of_git_lfs__is_not_the_file(shop):
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    make(shop, **{".gitattributes": "*.mp4 filter=lfs\n", "film.mp4": pointer})
    with pytest.raises(SourceError, match=r"pointers of Git LFS.*film\.mp4"):
        read_source(shop)


def test_folder_without_git__travels_whole_and_its_contents_are_shown(tmp_path):
    make(
        tmp_path,
        **{"manage.py": "x", "shop__a.py": "x", "shop/__pycache__/a.pyc": "x"},
    )
    source = read_source(tmp_path)
    assert names(source) == ["manage.py", "shop/a.py"]
    assert said(source) == "no git here: these travel: manage.py, shop/ (1)"


@pytest.mark.parametrize(
    "name",
    [".env", ".env.production", "server.key", "tls.PEM", "db.sqlite3", "dump.sql", "all.sql.gz"],
)
def test_folder_without_git__does_not_travel_with_what_looks_like_a_secret(tmp_path, name):
    make(tmp_path, **{"manage.py": "x", f"conf__{name}": "SECRET"})
    with pytest.raises(SourceError, match="look as if they should not") as error:
        read_source(tmp_path)
    assert f"conf/{name}" in error.value.what
    assert error.value.kept == "nothing was sent"
    assert f"conf/{name}" in names(read_source(tmp_path, include=(f"conf/{name}",)))
    assert f"conf/{name}" in names(read_source(tmp_path, include=("conf",)))


def test_folder_without_git__does_not_travel_with_a_python_environment(tmp_path):
    make(tmp_path, **{"manage.py": "x", "env311__pyvenv.cfg": "x"})
    with pytest.raises(SourceError, match=r"env311/ \(a Python environment\)"):
        read_source(tmp_path)


@pytest.mark.parametrize("name", [".env.example", "keys.py", "environment.py", "sql/models.py"])
def test_harmless_name__is_no_secret(name):
    assert not is_secretive(name)


def test_ref_without_git__is_refused(tmp_path):
    make(tmp_path, **{"manage.py": "x"})
    with pytest.raises(SourceError, match="this is no git checkout"):
        read_source(tmp_path, "v1")


def test_missing_source__is_reported(tmp_path):
    with pytest.raises(SourceError, match="source is not there"):
        read_source(tmp_path / "nowhere")
