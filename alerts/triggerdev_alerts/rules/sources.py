"""One file of rules, read: its plain values with positions, its models, and what is wrong with it alone.

Whatever the text is, the result is a `Source`. What files mean to each other is `references.py`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import cast

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from triggerdev_alerts.conditions.catalogue import CONDITIONS
from triggerdev_alerts.documents.mistakes import Mistake, Place, found, suggestion
from triggerdev_alerts.documents.model import keys_of, written_in
from triggerdev_alerts.documents.positions import Document, Path, Plain, read_yaml
from triggerdev_alerts.documents.wording import Wording, listed
from triggerdev_alerts.history.written import WrittenTest
from triggerdev_alerts.rules.when import MODELS
from triggerdev_alerts.rules.words import FORGIVING
from triggerdev_alerts.rules.written import WrittenGroup, WrittenRule, WrittenRules
from triggerdev_alerts.rules.written_delivery import WrittenRoute


@dataclass(frozen=True, slots=True)
class RuleFile:
    """A file as it was read: its name as the person knows it, and its text."""

    name: str
    text: str
    shipped: bool = False


@dataclass(frozen=True, slots=True)
class Source:
    """A file with all that could be made of it."""

    file: RuleFile
    document: Document
    shape: WrittenRules
    """Without what has mistakes: entries that cannot be used are ``None``, their wrong keys are left out."""
    mistakes: list[Mistake] = field(default_factory=list)

    def place(self, path: Path, key: bool = False) -> Place:
        return self.document.place(path, key=key)

    def section(self, name: str) -> Mapping[str, Plain]:
        """A top-level mapping as it was written, right or wrong."""
        data = self.document.data
        section = data.get(name) if isinstance(data, dict) else None
        return section if isinstance(section, dict) else {}

    def has(self, name: str) -> bool:
        data = self.document.data
        return isinstance(data, dict) and data.get(name) is not None

    def groups(self) -> list[tuple[Path, WrittenGroup]]:
        return [(("groups", n), group) for n, group in enumerate(self.shape.groups) if group is not None]

    def rules(self) -> list[tuple[Path, WrittenRule]]:
        return [
            ((*path, "rules", n), rule)
            for path, group in self.groups()
            for n, rule in enumerate(group.rules)
            if rule is not None
        ]

    def tests(self) -> list[tuple[Path, WrittenTest]]:
        return [(("tests", n), test) for n, test in enumerate(self.shape.tests) if test is not None]

    def routes(self) -> list[tuple[Path, WrittenRoute]]:
        """The tree, parents before children, in order."""
        found: list[tuple[Path, WrittenRoute]] = []
        waiting: list[tuple[Path, WrittenRoute | None]] = [(("routes",), self.shape.routes)]
        while waiting:
            path, route = waiting.pop(0)
            if route is not None:
                found.append((path, route))
                waiting[:0] = [((*path, "children", n), child) for n, child in enumerate(route.children)]
        return found


ELSEWHERE = {
    "expr": "when",
    "record": "alert",
    "routes": "children",
    "matchers": "match",
    "mute_time_intervals": "mute",
    "active_time_intervals": "active",
    "source_match": "source",
    "source_matchers": "source",
    "target_match": "target",
    "target_matchers": "target",
    "slack_configs": "slack",
    "webhook_configs": "webhook",
    "email_configs": "email",
    "pagerduty_configs": "pagerduty",
    "webhook_url": "url",
    "endpoint": "url",
    "service_key": "routing_key",
    "integration_key": "routing_key",
    "smarthost": "server",
    "smtp": "server",
    "host": "server",
    "auth_username": "username",
    "auth_password": "password",
    "threshold": "above",
    "greater_than": "above",
    "period": "window",
    "duration": "window",
    "percentile": "quantile",
    "runbook_url": "runbook",
}
"""Keys that people know from Prometheus, Alertmanager and receivers' own pages, as they are called here."""
_MORE = {
    "expr": "a rule has no expression; write its condition, like when: {queue_depth: {above: 500}}",
    "record": "a rule records nothing; recording rules are Prometheus' own",
    "<<": "keys are not merged here; write them out, or put them in defaults",
}
_OTHER_KINDS = frozenset("telegram discord teams msteams opsgenie ntfy pushover victorops sns webex".split())


def _say_more(key: str, section: Path) -> tuple[str, str] | None:
    """Unknown keys of which more can be said than that they are unknown."""
    if key == "rules" and not section:
        return "unknown-key", "rules stand in groups; write groups: [{name: mine, rules: [...]}]"
    if key in _MORE:
        return "unknown-key", _MORE[key]
    if section[:1] == ("receivers",) and key in _OTHER_KINDS:
        return "unknown-key", f"there is no receiver of the kind {key}; reach it through alertmanager or a webhook"
    if section[-1:] == ("when",):
        near = suggestion(key, CONDITIONS)
        return "unknown-key", f"unknown condition {found(key)}{near or listed(list(CONDITIONS))}"
    if section[-2:-1] == ("when",) and key in ("task", "queue", "version", "tag", "target"):
        name = str(section[-1])
        others = [one for one in ("target", "task", "queue", "version", "tag") if one in keys_of(MODELS[name])]
        can = f"it can by {', '.join(others)}" if others else "it is about alerting itself"
        return "unknown-key", f"{name} cannot be narrowed by {key}; {can}"
    return None


RULES_WORDING = Wording(WrittenRules, "a file of rules", _say_more, ELSEWHERE)


def read_source(file: RuleFile) -> Source:
    """The file, whatever stands in it."""
    document = read_yaml(file.text, file.name)
    mistakes = list(document.mistakes)
    data = document.data
    if data is None:
        return Source(file, document, WrittenRules(), mistakes)
    context = written_in(FilePath(file.name).parent)
    try:
        return Source(file, document, WrittenRules.model_validate(data, context=context), mistakes)
    except ValidationError as error:
        findings = error.errors(include_url=False)
    mistakes += RULES_WORDING.mistakes(findings, lambda path, key: document.place(path, key=key))
    return Source(file, document, _forgiven(data, findings, {**context, FORGIVING: True}), mistakes)


def _forgiven(data: Plain, findings: list[ErrorDetails], context: dict[str, object]) -> WrittenRules:
    """What remains when everything that is wrong is left out."""
    if not isinstance(data, dict):
        return WrittenRules()
    rest = dict(data)
    while True:
        try:
            return WrittenRules.model_validate(rest, context=context)
        except ValidationError as error:
            # Entries forgive their own; what is left is wrong with a whole section.
            for key in {cast("str", finding["loc"][0]) for finding in error.errors() if finding["loc"]} or set(rest):
                rest.pop(key, None)
