"""From targets as written to targets as watched: keys read, names given, labels made equal. Reads key files."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import SecretStr

from triggerdev_alerts.documents.mistakes import Mistake, Unfit, found
from triggerdev_alerts.documents.positions import Path
from triggerdev_exporter.config.addresses import is_exposed
from triggerdev_exporter.config.keys import environment_of, key_from_file, key_from_variable, looks_like_key
from triggerdev_exporter.config.labels import filled
from triggerdev_exporter.config.model import Target, WrittenTarget
from triggerdev_exporter.config.written import BRANCH, KEY, Written

_SHARED = set(WrittenTarget.model_fields) & set(Target.model_fields) - {"name"}


@dataclass(frozen=True, slots=True)
class _Keyed:
    """A target with its key."""

    path: Path
    written: WrittenTarget
    key: str

    @property
    def name(self) -> str:
        return self.written.name or environment_of(self.key) or "default"


def resolve(
    targets: Sequence[tuple[Path, WrittenTarget]], written: Written, environ: Mapping[str, str]
) -> list[Target]:
    """All that can be watched; mistakes and warnings go to `written`."""
    keyed = []
    names: list[tuple[Path, str]] = []
    for path, target in targets:
        try:
            one = _Keyed(path, target, _key(path, target, written, environ))
        except _Misplaced as misplaced:
            written.mistakes.append(Mistake(misplaced.code, misplaced.text, written.place(misplaced.path)))
            names += [(path, target.name)] if target.name is not None else []
            continue
        keyed.append(one)
        names.append((path, one.name))
        _check_branch(one, written)
        _check_name(one, written)
        _check_exposure(one, written)
    _check_names(names, written)
    _check_environments(keyed, written)
    labels = filled(one.written.labels for one in keyed)
    return [_target(one, own) for one, own in zip(keyed, labels, strict=True)]


class _Misplaced(Unfit):
    def __init__(self, path: Path, code: str, text: str) -> None:
        super().__init__(code, text)
        self.path = path


def _key(path: Path, target: WrittenTarget, written: Written, environ: Mapping[str, str]) -> str:
    by_file, by_variable = (*path, "secret_key_file"), (*path, "secret_key_env")
    if target.secret_key_file is not None and target.secret_key_env is not None:
        raise _Misplaced(by_file, "conflict", "secret_key_file and secret_key_env are both written; keep one of them")
    file, variable = target.secret_key_file, target.secret_key_env
    if file is not None:
        if not looks_like_key(file):
            written.files.append(written.file_path(file, by_file))
        return _guarded(by_file, file, "the path of a file", lambda: key_from_file(written.file_path(file, by_file)))
    if variable is not None:
        return _guarded(by_variable, variable, "the name of a variable", lambda: key_from_variable(variable, environ))
    hint = f"; secret_key_env: {KEY} takes the one that is set" if environ.get(KEY) else ""
    raise _Misplaced(path, "secret", f"this target has no key: write secret_key_file or secret_key_env{hint}")


def _guarded(path: Path, holder: str, wanted: str, read: Callable[[], str]) -> str:
    if looks_like_key(holder):
        raise _Misplaced(path, "secret", f"this is a key itself; {path[-1]} wants {wanted} that holds it")
    try:
        return read()
    except Unfit as unfit:
        raise _Misplaced(path, unfit.code, unfit.text) from None


def _check_branch(one: _Keyed, written: Written) -> None:
    environment = environment_of(one.key)
    path = (*one.path, "branch")
    if environment == "preview" and one.written.branch is None:
        text = f"a key of preview environments needs a branch: write branch, or set {BRANCH}"
        written.mistakes.append(Mistake("branch", text, written.place(one.path)))
    if environment in ("prod", "stg") and one.written.branch is not None:
        text = f"has no effect: a {environment} environment has no branches"
        written.warnings.append(Mistake("branch", text, written.place(path), severity="warning"))


#: What people call an environment in the name of a target.
_CALLED = {
    "prod": "prod",
    "production": "prod",
    "stg": "stg",
    "staging": "stg",
    "preview": "preview",
    "dev": "dev",
    "development": "dev",
}


def _check_name(one: _Keyed, written: Written) -> None:
    """A key of another environment than the name says is the one that was pasted into the wrong file."""
    called = {_CALLED[word] for word in re.split(r"[^a-z]+", one.name.lower()) if word in _CALLED}
    environment = environment_of(one.key)
    if environment and len(called) == 1 and environment not in called:
        text = f"the name says {called.pop()}, and the key is one of {environment}: is it the right key?"
        place = written.place((*one.path, "name"))
        written.warnings.append(Mistake("environment", text, place, severity="warning"))


def _check_exposure(one: _Keyed, written: Written) -> None:
    if is_exposed(one.written.api_url):
        text = "the key is sent over http, readable by everyone on the way; use https"
        place = written.place((*one.path, "api_url"))
        written.warnings.append(Mistake("http", text, place, severity="warning"))


def _check_names(names: Sequence[tuple[Path, str]], written: Written) -> None:
    known: set[str] = set()
    for path, name in names:
        if name in known:
            text = f"a target before has the name {found(name)} already; give each a name of its own"
            written.mistakes.append(Mistake("duplicate", text, written.place((*path, "name"))))
        known.add(name)


def _check_environments(keyed: Sequence[_Keyed], written: Written) -> None:
    environments: dict[tuple[str, str, str | None], str] = {}
    for one in keyed:
        environment = (one.written.api_url, one.key, one.written.branch)
        other = environments.setdefault(environment, one.name)
        if other != one.name:
            text = f"{found(one.name)} and {found(other)} watch the same environment, each with its share of the quota"
            place = written.place((*one.path, "name"))
            written.warnings.append(Mistake("duplicate", text, place, severity="warning"))


def _target(one: _Keyed, labels: dict[str, str]) -> Target:
    shared = {name: getattr(one.written, name) for name in _SHARED}
    return Target.model_validate(shared | {"name": one.name, "labels": labels, "secret_key": SecretStr(one.key)})
