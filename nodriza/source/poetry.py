"""Poetry's lock, as what uv installs: exact versions, their sums, and where they come from.

Poetry itself would bring fifty packages and 60 MB to the central node. Since Poetry 2.0 a lock
says of each package in which groups it is, and under which markers (lock-version 2.1). So nothing
has to be resolved: what ``poetry export --only main`` writes stands in it, package by package.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nodriza.errors import SourceError
from nodriza.source.requirements import EXPORTED, POETRY

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

READ = ("2.1",)
"""The versions of the format that are known here: Poetry 2 writes no other."""
_PROJECT = ("requires-python", "dependencies", "optional-dependencies")
_LEGACY = ("dependencies", "source", "extras", "dev-dependencies")
_OWN = (*_LEGACY, "group")
"""What a lock depends on in pyproject.toml (Poetry's packages/locker.py, ``_relevant_keys``)."""

_M = TypeVar("_M", bound="_Table")


class _Table(BaseModel):
    """A table of a lock; keys that nobody needs here are passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class _File(_Table):
    hash: str = Field(pattern=r"^\w+:[0-9a-f]+$")


class _Origin(_Table):
    type: Literal["legacy", "git", "url", "file", "directory"]
    url: str = Field(pattern=r"^\S+$")
    resolved_reference: str = Field("", pattern=r"^\S*$")
    subdirectory: str = Field("", pattern=r"^\S*$")


class _Package(_Table):
    name: str = Field(pattern=r"^[\w.-]+$")
    version: str = Field(pattern=r"^\S+$")
    groups: tuple[str, ...]
    markers: str | dict[str, str] = ""
    """One for all groups, or those that have one."""
    files: tuple[_File, ...] = ()
    source: _Origin | None = None
    """Where it comes from, if that is not the usual index."""


class _Metadata(_Table):
    lock_version: str = Field(alias="lock-version")
    content_hash: str = Field("", alias="content-hash")


class _Head(_Table):
    metadata: _Metadata


class _Lock(_Table):
    package: tuple[_Package, ...] = ()


def pinned(lock: str, pyproject: str, name: str) -> str:
    """The group "main" of a lock as a requirements file that leaves nothing to resolve.

    ``name`` is the lock's, from the folder where installing begins: paths are written from there.
    Without the project itself, and without extras. Raises ``SourceError`` where the lock is none,
    is of another Poetry, or was made for another ``pyproject``.
    """
    beside = posixpath.join(posixpath.dirname(name), "pyproject.toml")
    written, project = _toml(lock, name), _toml(pyproject, beside)
    head = _fitting(_Head, written, name).metadata
    if head.lock_version not in READ:
        raise _refusal(
            f'{name} has lock-version "{head.lock_version}", and only {" and ".join(READ)} can be'
            " read, which Poetry 2 writes",
            f"poetry lock, with Poetry 2: it keeps the versions; or {EXPORTED[POETRY]}",
        )
    if head.content_hash not in _hashes(project):
        raise _refusal(
            f"{name} does not fit {beside}: what {beside} asks for has changed since it was made",
            f"poetry lock, and what poetry check --lock says; or {EXPORTED[POETRY]}",
        )
    every = _fitting(_Lock, written, name).package
    packages = [each for each in every if "main" in map(_plain, each.groups)]
    indexes = sorted({each.source.url for each in packages if each.source and _is_index(each)})
    lines = [f"--extra-index-url {url}" for url in indexes]
    for package in packages:
        lines += _requirement(package, posixpath.dirname(name))
    return "".join(f"{line}\n" for line in lines)


def _requirement(package: _Package, folder: str) -> Iterator[str]:
    marker = package.markers
    if not isinstance(marker, str):
        marker = {_plain(group): each for group, each in marker.items()}.get("main", "")
    # One that asks for an extra is never true (PEP 508), and extras are not installed.
    words = f"{_what(package, folder)} ; {marker}" if marker else _what(package, folder)
    sums = sorted({f"    --hash={file.hash}" for file in package.files})
    yield from _continued([" ".join(words.split()), *sums])


def _continued(lines: list[str]) -> Iterator[str]:
    for line in lines[:-1]:
        yield f"{line} \\"
    yield lines[-1]


def _what(package: _Package, folder: str) -> str:
    """What is installed: a version of the index, or what lies somewhere else."""
    origin = package.source
    if origin is None or _is_index(package):
        return f"{package.name}=={package.version}"
    inside = f"#subdirectory={origin.subdirectory}" if origin.subdirectory else ""
    if origin.type == "git":
        url = origin.url if "://" in origin.url else _as_url(origin.url)
        return f"{package.name} @ git+{url}@{origin.resolved_reference}{inside}"
    if origin.type == "url":
        return f"{package.name} @ {origin.url}{inside}"
    path = posixpath.normpath(posixpath.join(folder, origin.url))
    if path.startswith(("../", "/")):
        raise _refusal(
            f"{package.name} lies outside of what is deployed: {origin.url}",
            "an index for it, or its folder inside of app.source",
        )
    return f"./{path}"


def _as_url(address: str) -> str:
    """git's short form for SSH, user@host:path (git-clone(1), "GIT URLS")."""
    host, _, path = address.partition(":")
    return f"ssh://{host}/{path}"


def _is_index(package: _Package) -> bool:
    return package.source is not None and package.source.type == "legacy"


def _plain(name: str) -> str:
    """A group's name as Poetry compares it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _hashes(pyproject: Mapping[str, Any]) -> Iterator[str]:
    """What a lock may say of the pyproject.toml that it was made for.

    Poetry 2.3 began to count ``dependency-groups``; a lock that an older one made is as good.
    """
    for groups in (_table(pyproject, "dependency-groups"), {}):
        project = {
            key: value for key, value in _table(pyproject, "project").items() if key in _PROJECT
        }
        own = _table(_table(pyproject, "tool"), "poetry")
        # Without any of the standard's tables Poetry counts its old keys, there or not.
        always = () if project or groups else _LEGACY
        counted = {key: own.get(key) for key in _OWN if key in always or own.get(key) is not None}
        parts = {"project": project, "dependency-groups": groups}
        whole = {key: value for key, value in parts.items() if value}
        content = {**whole, "tool": {"poetry": counted}} if whole else counted
        text = json.dumps(content, sort_keys=True, default=str)
        yield hashlib.sha256(text.encode()).hexdigest()


def _table(parent: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = parent.get(key)
    return value if isinstance(value, dict) else {}


def _toml(text: str, name: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _refusal(f"{name} is not TOML: {error}", f"mend {name}") from error


def _fitting(model: type[_M], data: Mapping[str, Any], name: str) -> _M:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise _refusal(
            f"{name} is no lock that Poetry has written: {place}: {first['msg']}", "poetry lock"
        ) from error


def _refusal(what: str, do: str) -> SourceError:
    return SourceError(what, kept="nothing was sent", do=do)
