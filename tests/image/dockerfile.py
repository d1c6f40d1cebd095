"""The Dockerfile and .dockerignore, read as text: there is no engine for containers where these tests run."""

from __future__ import annotations

import fnmatch
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Instruction:
    name: str
    rest: str

    @property
    def words(self) -> list[str]:
        return shlex.split(self.rest)


@dataclass
class Stage:
    """From one FROM to the next."""

    base: str
    name: str = ""
    instructions: list[Instruction] = field(default_factory=list)

    def all(self, name: str) -> list[Instruction]:
        return [each for each in self.instructions if each.name == name]

    def one(self, name: str) -> Instruction:
        (found,) = self.all(name)
        return found


def read(text: str) -> tuple[dict[str, str], list[Stage]]:
    """The arguments before the first stage with their defaults, and the stages."""
    lines = [line for line in text.splitlines() if not re.match(r"\s*#", line)]
    joined = "\n".join(lines).replace("\\\n", " ")
    arguments: dict[str, str] = {}
    stages: list[Stage] = []
    for line in filter(str.strip, joined.splitlines()):
        name, _, rest = line.strip().partition(" ")
        instruction = Instruction(name.upper(), rest.strip())
        if instruction.name == "FROM":
            base, *more = instruction.words
            stages.append(Stage(base, more[1] if more else ""))
        elif stages:
            stages[-1].instructions.append(instruction)
        else:
            key, _, value = instruction.words[0].partition("=")
            arguments[key] = value
    return arguments, stages


def ignored(path: str, patterns: list[str]) -> bool:
    """Whether `.dockerignore` keeps `path` from the builder: the last pattern that fits decides."""
    found = False
    parts = path.split("/")
    above = ["/".join(parts[: length + 1]) for length in range(len(parts))]
    for pattern in patterns:
        bare = pattern.lstrip("!").strip("/")
        names = above if not bare.startswith("**/") else parts
        if any(fnmatch.fnmatchcase(each, bare.removeprefix("**/")) for each in names):
            found = not pattern.startswith("!")
    return found


def patterns() -> list[str]:
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]
