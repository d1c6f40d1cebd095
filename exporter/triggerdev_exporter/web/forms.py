"""What the pages' forms post: silences made and ended, notifications sent again or put away. Thin.

The same as the API's writes, in the words of a browser; each ends in a redirect, so that loading again posts nothing
twice. A form of another site is refused.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from triggerdev_alerts.documents.mistakes import Unfit
from triggerdev_alerts.documents.units import parse_duration
from triggerdev_alerts.errors import BookError
from triggerdev_alerts.notify.matcher_text import parse_matchers
from triggerdev_alerts.notify.silences import add_silence, expire_silence
from triggerdev_alerts.outbox import dead_letters
from triggerdev_exporter.web import alert_views
from triggerdev_exporter.web.json_api import Problem, check_form
from triggerdev_exporter.web.pages import Pages
from triggerdev_exporter.web.templating import open_templates
from triggerdev_exporter.web.watching import Watching

SOMEBODY, NO_COMMENT = "somebody on the page", "added on the page"
_BACK = ("/alerts", "/silences")

Form = Callable[[web.Request, Mapping[str, Any]], Awaitable[web.StreamResponse]]


class Forms:
    """The handlers. A method a form."""

    def __init__(self, served: Watching, pages: Pages) -> None:
        self._served, self._pages = served, pages

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/silences", self._form(self.add_silence)),
            web.post("/silences/{id}/expire", self._form(self.expire_silence)),
            web.post("/notifications/{id}/{verb:retry|drop}", self._form(self.change_letter)),
        ]

    def _form(self, handler: Form) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def answered(request: web.Request) -> web.StreamResponse:
            await open_templates()
            try:
                check_form(request)
                return await handler(request, await request.post())
            except Problem as error:
                return self._pages.problem(request, error.status, str(error))
            except BookError as error:
                return self._pages.problem(request, 503, str(error))

        return answered

    async def add_silence(self, request: web.Request, form: Mapping[str, Any]) -> web.StreamResponse:
        alerting, now = self._pages.alerting(), self._served.clock.now()
        wish = alert_views.SilenceWish(
            matchers=_text(form, "matchers"),
            duration=_text(form, "duration"),
            author=_text(form, "author") or SOMEBODY,
            comment=_text(form, "comment") or NO_COMMENT,
        )
        try:
            matchers, lasts = parse_matchers(wish.matchers), parse_duration(wish.duration)
            silence = await alerting.scribe.write(
                lambda draft: add_silence(
                    draft, matchers, duration=lasts, author=wish.author, comment=wish.comment, now=now
                )
            )
        except Unfit as error:
            return await self._pages.silences(request, error.text, wish)
        alerting.poke()
        return _back(form, silence.id)

    async def expire_silence(self, request: web.Request, form: Mapping[str, Any]) -> web.StreamResponse:
        alerting, now, name = self._pages.alerting(), self._served.clock.now(), request.match_info["id"]
        try:
            silence = await alerting.scribe.write(lambda draft: expire_silence(draft, name, now))
        except Unfit as error:
            raise Problem(404, "not_found", error.text) from None
        alerting.poke()
        return _back(form, silence.id)

    async def change_letter(self, request: web.Request, form: Mapping[str, Any]) -> web.StreamResponse:
        alerting, now, name = self._pages.alerting(), self._served.clock.now(), request.match_info["id"]
        letter = await alerting.scribe.storage.letter(name)
        if letter is None:
            raise Problem(404, "not_found", "There is no notification of that name any more.")
        try:
            if request.match_info["verb"] == "retry":
                await dead_letters.retry(alerting.scribe, alerting.receivers, letter.id, now)
            else:
                await dead_letters.drop(alerting.scribe, letter.id, now)
        except Unfit as error:
            return await self._pages.notifications(request, error.text)
        alerting.poke()
        return web.Response(status=303, headers={"Location": "/notifications?done=1"})


def _text(form: Mapping[str, Any], name: str) -> str:
    value = form.get(name, "")
    return value.strip() if isinstance(value, str) else ""


def _back(form: Mapping[str, Any], silence_id: str) -> web.Response:
    back = _text(form, "back")
    path = back if back in _BACK else "/silences"
    return web.Response(status=303, headers={"Location": f"{path}?silence={silence_id}"})
