"""The door: the texts of files in, one `RuleSet` or all mistakes of all files at once out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from triggerdev_alerts.documents.mistakes import Mistake, Place, in_order
from triggerdev_alerts.errors import RulesError
from triggerdev_alerts.history.written import WrittenTest
from triggerdev_alerts.rules.assembly import assemble
from triggerdev_alerts.rules.lints import warnings_of
from triggerdev_alerts.rules.model import RuleSet
from triggerdev_alerts.rules.references import reference_mistakes
from triggerdev_alerts.rules.sources import RuleFile, Source, read_source


@dataclass(frozen=True, slots=True)
class Case:
    """One of ``tests``, and where it stands."""

    test: WrittenTest
    place: Place
    expected: tuple[Place, ...]
    """The place of each expectation."""
    shipped: bool = False


@dataclass(frozen=True, slots=True)
class LoadedRules:
    """Rules that can be used, and what is odd about them."""

    ruleset: RuleSet
    cases: tuple[Case, ...]
    warnings: tuple[Mistake, ...]


def read_rules(
    files: Sequence[RuleFile], *, disable: Collection[str] = (), besides: Sequence[Mistake] = ()
) -> LoadedRules:
    """All files as one. Own rules replace shipped ones of the same name; `disable` names rules that are off.

    `besides` are mistakes that are known already, of files that could not be read.

    Raises `RulesError` with every mistake there is.
    """
    sources = sorted((read_source(file) for file in files), key=lambda source: not source.file.shipped)
    mistakes = [mistake for source in sources for mistake in source.mistakes]
    mistakes += [*reference_mistakes(sources, disable), *besides]
    if mistakes:
        raise RulesError(in_order(mistakes))
    ruleset = assemble(sources, disable)
    return LoadedRules(ruleset, tuple(_cases(sources)), tuple(in_order(warnings_of(sources, ruleset))))


def _cases(sources: Sequence[Source]) -> Iterable[Case]:
    for source in sources:
        for path, test in source.tests():
            expected = tuple(source.place((*path, "expect", n)) for n in range(len(test.expect)))
            yield Case(test, source.place(path), expected, source.file.shipped)
