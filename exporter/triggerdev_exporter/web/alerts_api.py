"""``/api/v1/…`` about alerts: what is read from the book, and the few things that people may change in it.

Every change goes through the scribe, so it is on disk before it is answered; then the engine is poked. What an answer
looks like is `alert_views.py`, how errors are told `json_api.py`.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from aiohttp import web

from triggerdev_alerts.alert import Alert, State
from triggerdev_alerts.book import Letter, LetterStatus, Silence
from triggerdev_alerts.documents.mistakes import Unfit, found, suggestion
from triggerdev_alerts.documents.units import parse_duration
from triggerdev_alerts.evaluation.judge import Judgement
from triggerdev_alerts.instants import Instant, iso
from triggerdev_alerts.notify.matcher_text import parse_matchers
from triggerdev_alerts.notify.silences import add_silence, expire_silence
from triggerdev_alerts.outbox import dead_letters
from triggerdev_alerts.outbox.scribe import Scribe
from triggerdev_alerts.pushing.tryout import try_out_members
from triggerdev_alerts.receivers.alertmanager import Settings as AlertmanagerSettings
from triggerdev_alerts.receivers.port import Receiver
from triggerdev_alerts.receivers.tryout import try_out
from triggerdev_alerts.rules.model import Rule, RuleSet
from triggerdev_alerts.signals import Evidence
from triggerdev_exporter.clock import Clock
from triggerdev_exporter.web import alert_views as views
from triggerdev_exporter.web.api_route import ApiRoute, Parameter, paging
from triggerdev_exporter.web.json_api import Problem, answer, chosen, limited, paged, read_body
from triggerdev_exporter.web.rule_reasons import reason

MOST = 1_000
"""How many things one answer lists."""
MOST_EVIDENCE = 50
_CURSOR = re.compile(r"([0-9]{1,15})-([\w-]{1,80})", re.ASCII)


class Operated(Protocol):
    """Alerting, as far as it is operated from here; `alerting.Alerting` is it."""

    @property
    def scribe(self) -> Scribe: ...

    @property
    def ruleset(self) -> RuleSet: ...

    @property
    def receivers(self) -> Mapping[str, Receiver]: ...

    def poke(self) -> None: ...

    def evidence_of(self, rule: Rule, alert: Alert, now: Instant) -> Evidence: ...

    def judged(self, rule: Rule, now: Instant) -> Mapping[str, Judgement]: ...


class WithAlerting(Protocol):
    """Whoever holds it; ``None`` while it is not running."""

    @property
    def alerting(self) -> Operated | None: ...

    @property
    def clock(self) -> Clock: ...


def routes(served: WithAlerting) -> list[ApiRoute]:
    """The routes about alerts."""
    api = _Api(served)
    silence = Parameter("id", "The id of a silence.")
    letter = Parameter("id", "The id of a notification.")
    all_of_it = paging(MOST, MOST)
    return [
        ApiRoute(
            "GET",
            "/api/v1/alerts",
            api.alerts,
            "What is pending, firing or recovering; firing ones first.",
            views.AlertList,
            query=(
                Parameter("state", "Only those.", choices=[state.value for state in State]),
                *all_of_it,
                Parameter("evidence", "With runs and errors; then 50 at most.", choices=("no", "yes"), default="no"),
            ),
            refuses=(503,),
        ),
        ApiRoute(
            "GET",
            "/api/v1/silences",
            api.silences,
            "Silences, those that are over included, at the end.",
            views.SilenceList,
            query=all_of_it,
            refuses=(503,),
        ),
        ApiRoute(
            "POST",
            "/api/v1/silences",
            api.add_silence,
            "Tell nobody of the alerts that fit, for a while.",
            views.SilenceAnswer,
            201,
            body=views.SilenceWish,
            refuses=(503,),
            example={"matchers": "task=send-email", "duration": "2h", "author": "ann", "comment": "a known outage"},
        ),
        ApiRoute(
            "DELETE",
            "/api/v1/silences/{id}",
            api.expire_silence,
            "End a silence now.",
            views.SilenceAnswer,
            in_path=(silence,),
            refuses=(404, 503),
        ),
        ApiRoute(
            "GET",
            "/api/v1/notifications",
            api.notifications,
            "Notifications of the last days, the newest first.",
            views.NotificationList,
            query=(
                Parameter("status", "Only those.", choices=[status.value for status in LetterStatus]),
                Parameter("receiver", "Only those to this receiver."),
                Parameter("group", "Only those of this group."),
                Parameter("limit", "How many at most.", least=1, most=MOST, default=100),
                Parameter("cursor", "`next_cursor` of the answer before.", pattern=f"^{_CURSOR.pattern}$"),
            ),
            refuses=(503,),
        ),
        ApiRoute(
            "POST",
            "/api/v1/notifications/{id}/retry",
            api.retry,
            "Send one again that was given up.",
            views.NotificationAnswer,
            in_path=(letter,),
            refuses=(404, 409, 503),
        ),
        ApiRoute(
            "POST",
            "/api/v1/notifications/{id}/drop",
            api.drop,
            "Put one away that was given up.",
            views.NotificationAnswer,
            in_path=(letter,),
            refuses=(404, 409, 503),
        ),
        ApiRoute(
            "GET",
            "/api/v1/receivers",
            api.receivers,
            "Receivers and how they fare.",
            views.ReceiverList,
            refuses=(503,),
        ),
        ApiRoute(
            "POST",
            "/api/v1/receivers/{name}/test",
            api.test,
            "Send a message that is marked as a test, now.",
            views.TryoutAnswer,
            in_path=(Parameter("name", "The name of a receiver."),),
            refuses=(404, 409, 503),
        ),
        ApiRoute(
            "GET",
            "/api/v1/rules",
            api.rules,
            "Rules, their last evaluation, and what it said; what fires or is wrong first.",
            views.RuleList,
            query=(
                *all_of_it,
                Parameter(
                    "reason", "With how near each is to firing; then 50 at most.", choices=("no", "yes"), default="no"
                ),
            ),
            refuses=(503,),
        ),
    ]


class _Api:
    """The handlers. A method a route; each checks what it was sent, then reads or writes."""

    def __init__(self, served: WithAlerting) -> None:
        self._served = served
        self._tested: set[str] = set()
        """Receivers that a test is under way to."""

    async def alerts(self, request: web.Request) -> web.Response:
        state, (limit, offset) = chosen(request, "state", [state.value for state in State]), paged(request, MOST, MOST)
        with_evidence = chosen(request, "evidence", ("no", "yes")) == "yes"
        return answer(await list_alerts(self._alerting(), self._now(), state, limit, offset, evidence=with_evidence))

    async def silences(self, request: web.Request) -> web.Response:
        limit, offset = paged(request, MOST, MOST)
        silences = self._alerting().scribe.book.silences.values()
        return answer(views.silence_list(silences, self._now(), limit, offset))

    async def add_silence(self, request: web.Request) -> web.Response:
        wish = await read_body(request, views.SilenceWish)
        alerting, now = self._alerting(), self._now()
        matchers = parse_matchers(wish.matchers)
        start, duration = _span(wish, now)
        silence = await alerting.scribe.write(
            lambda draft: add_silence(
                draft,
                matchers,
                duration=duration,
                author=wish.author,
                comment=wish.comment,
                now=now,
                starts_at=start,
            )
        )
        return answer(await self._told(alerting, silence, now), 201)

    async def expire_silence(self, request: web.Request) -> web.Response:
        alerting, now, name = self._alerting(), self._now(), request.match_info["id"]
        try:
            silence = await alerting.scribe.write(lambda draft: expire_silence(draft, name, now))
        except Unfit as error:
            raise Problem(404, "not_found", error.text) from None
        return answer(await self._told(alerting, silence, now))

    async def _told(self, alerting: Operated, silence: Silence, now: Instant) -> views.SilenceAnswer:
        alerting.poke()
        alerts = list(alerting.scribe.book.alerts.values())
        return await asyncio.to_thread(views.silence_answer, silence, alerts, now)

    async def notifications(self, request: web.Request) -> web.Response:
        status = chosen(request, "status", [status.value for status in LetterStatus])
        limit = limited(request, 100, MOST)
        found = await list_notifications(
            self._alerting(),
            self._now(),
            status=None if status is None else LetterStatus(status),
            receiver=request.query.get("receiver"),
            group=request.query.get("group"),
            limit=limit,
            cursor=request.query.get("cursor"),
        )
        return answer(found)

    async def retry(self, request: web.Request) -> web.Response:
        alerting, letter = await self._letter(request)
        try:
            letter = await dead_letters.retry(alerting.scribe, alerting.receivers, letter.id, self._now())
        except Unfit as error:
            raise Problem(409, "conflict", error.text) from None
        alerting.poke()
        return answer(views.NotificationAnswer(at=iso(self._now()), notification=views.notification_view(letter)))

    async def drop(self, request: web.Request) -> web.Response:
        alerting, letter = await self._letter(request)
        try:
            letter = await dead_letters.drop(alerting.scribe, letter.id, self._now())
        except Unfit as error:
            raise Problem(409, "conflict", error.text) from None
        alerting.poke()
        return answer(views.NotificationAnswer(at=iso(self._now()), notification=views.notification_view(letter)))

    async def receivers(self, request: web.Request) -> web.Response:
        alerting = self._alerting()
        kinds = {name: config.kind for name, config in alerting.ruleset.receivers.items()}
        return answer(views.receiver_list(kinds, alerting.scribe.book, self._now()))

    async def test(self, request: web.Request) -> web.Response:
        alerting, name = self._alerting(), request.match_info["name"]
        config = alerting.ruleset.receivers.get(name)
        if config is None:
            known = list(alerting.ruleset.receivers)
            near = suggestion(name, known) or (f"; there are {', '.join(known)}" if known else "; there is none at all")
            raise Problem(404, "not_found", f"no receiver is named {found(name)}{near}")
        if name in self._tested:
            raise Problem(409, "conflict", f"a test of {name} is under way; wait until it has ended")
        self._tested.add(name)
        try:
            if isinstance(config.settings, AlertmanagerSettings):
                attempt = await try_out_members(name, config.settings, self._now())
            else:
                attempt = await try_out(alerting.receivers[name], self._now())
        finally:
            self._tested.discard(name)
        return answer(views.tryout_answer(name, attempt))

    async def rules(self, request: web.Request) -> web.Response:
        limit, offset = paged(request, MOST, MOST)
        with_reasons = chosen(request, "reason", ("no", "yes")) == "yes"
        return answer(await list_rules(self._alerting(), self._served.clock, limit, offset, reasons=with_reasons))

    def _alerting(self) -> Operated:
        alerting = self._served.alerting
        if alerting is None:
            raise Problem(503, "unavailable", "alerting is not running yet; ask again in a moment")
        return alerting

    def _now(self) -> Instant:
        return self._served.clock.now()

    async def _letter(self, request: web.Request) -> tuple[Operated, Letter]:
        alerting, name = self._alerting(), request.match_info["id"]
        letter = await alerting.scribe.storage.letter(name)
        if letter is None:
            raise Problem(404, "not_found", f'there is no notification {found(name)}; see "outbox list"')
        return alerting, letter


async def list_alerts(
    alerting: Operated, now: Instant, state: str | None, limit: int, offset: int = 0, *, evidence: bool = False
) -> views.AlertList:
    """Alerts that are there now, firing ones first; with evidence, `MOST_EVIDENCE` of them at most."""
    book = alerting.scribe.book
    rules = {rule.id: rule for rule in alerting.ruleset.rules}
    silences = views.active_silences(book.silences.values(), now)
    # Everything that it works on is frozen. There may be a hundred thousand alerts, and the loop has other work.
    fitting = await asyncio.to_thread(views.sorted_alerts, list(book.alerts.values()), state)
    listed = fitting[offset : offset + (min(limit, MOST_EVIDENCE) if evidence else limit)]
    # Evidence reads the ledger, which is the loop's own.
    found = {
        alert.fingerprint: alerting.evidence_of(rules[alert.rule], alert, now)
        for alert in (listed if evidence else ())
        if alert.rule in rules
    }
    told = await asyncio.to_thread(
        lambda: [
            views.alert_view(rules.get(alert.rule), alert, silences, now, found.get(alert.fingerprint))
            for alert in listed
        ]
    )
    return views.AlertList(at=iso(now), total=len(fitting), alerts=told)


async def list_notifications(
    alerting: Operated,
    now: Instant,
    *,
    status: LetterStatus | None,
    limit: int,
    receiver: str | None = None,
    group: str | None = None,
    cursor: str | None = None,
) -> views.NotificationList:
    """The newest first. Raises `Problem` for a cursor that is none."""
    letters = await alerting.scribe.storage.letters(
        status=status, receiver=receiver, group_key=group, limit=limit + 1, before=_before(cursor)
    )
    shown = letters[:limit]
    return views.NotificationList(
        at=iso(now),
        notifications=[views.notification_view(letter) for letter in shown],
        next_cursor=f"{shown[-1].created_at}-{shown[-1].id}" if len(letters) > limit else None,
    )


async def list_rules(
    alerting: Operated, clock: Clock, limit: int, offset: int = 0, *, reasons: bool = False
) -> views.RuleList:
    """Rules, what fires or is wrong first; with reasons, `MOST_EVIDENCE` of them at most."""
    book, now = alerting.scribe.book, clock.now()
    ordered = views.sorted_rules(alerting.ruleset.rules, book)
    listed = []
    for rule in ordered[offset : offset + (min(limit, MOST_EVIDENCE) if reasons else limit)]:
        why = None
        if reasons and rule.enabled:
            why = reason(rule, alerting.judged(rule, now))
            # One rule may read a thousand series.
            await clock.sleep(0)
        listed.append(views.rule_view(rule, book, why))
    return views.RuleList(at=iso(now), total=len(ordered), rules=listed)


def _span(wish: views.SilenceWish, now: Instant) -> tuple[Instant, int]:
    """When it starts and how long it lasts. Raises `Unfit`."""
    start = _instant("starts_at", wish.starts_at) if wish.starts_at else now
    if bool(wish.duration) is bool(wish.ends_at):
        raise Unfit("duration", 'say how long it lasts, with duration ("2h") or with ends_at, not both')
    return start, parse_duration(wish.duration) if wish.duration else _instant("ends_at", wish.ends_at) - start


def _instant(key: str, text: str) -> Instant:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise Unfit("instant", f'{key}: {found(text)} is no instant; write it like "2026-01-05T12:00:00Z"')
    return round(moment.timestamp() * 1000)


def _before(cursor: str | None) -> tuple[Instant, str] | None:
    if cursor is None:
        return None
    match = _CURSOR.fullmatch(cursor)
    if match is None:
        raise Problem(400, "bad_request", f"{found(cursor)} is no cursor; send next_cursor back as it came")
    return int(match[1]), match[2]
