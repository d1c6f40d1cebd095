"""The pages for people: each is a template over what the API answers too. Reads only; `forms.py` takes what is posted.

They work without JavaScript, fetch nothing from elsewhere, and hold no secret.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from triggerdev_alerts.alert import State
from triggerdev_alerts.book import LetterStatus
from triggerdev_alerts.documents.mistakes import Unfit, found
from triggerdev_alerts.errors import BookError
from triggerdev_alerts.instants import iso
from triggerdev_alerts.rules.files import shipped_runbook
from triggerdev_exporter import __version__
from triggerdev_exporter.readings.ranking import SORTS
from triggerdev_exporter.web import alert_views, alerts_api, watching
from triggerdev_exporter.web.alerts_api import Operated
from triggerdev_exporter.web.filters import clock
from triggerdev_exporter.web.json_api import Problem, chosen, numbered
from triggerdev_exporter.web.static_files import static_routes
from triggerdev_exporter.web.templating import open_templates, templates

PAGE_SECURITY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
ALERTS_A_PAGE, TASKS_A_PAGE, RULES_A_PAGE, LETTERS_A_PAGE, SILENCES_A_PAGE = 25, 50, 50, 50, 50
REFRESH_S = 10
MOST_PAGES = 100_000
_TITLES = {400: "That cannot be meant", 403: "Not from there", 404: "There is no such thing", 503: "Not now"}

Page = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Pages:
    """The handlers. A method a page; each gathers what the API would answer, and renders it."""

    def __init__(self, served: watching.Watching) -> None:
        self._served = served

    def routes(self) -> list[web.AbstractRouteDef]:
        return [
            web.get("/", self._page(self.overview)),
            web.get("/alerts", self._page(self.alerts)),
            web.get("/tasks", self._page(self.tasks)),
            web.get("/tasks/{task:.+}", self._page(self.task)),
            web.get("/rules", self._page(self.rules)),
            web.get("/targets", self._page(self.targets)),
            web.get("/notifications", self._page(self.notifications)),
            web.get("/silences", self._page(self.silences)),
            web.get("/runbooks/{name}", self._page(self.runbook)),
            *static_routes(),
        ]

    def _page(self, handler: Page) -> Page:
        async def answered(request: web.Request) -> web.StreamResponse:
            await open_templates()
            try:
                return await handler(request)
            except Problem as error:
                return self.problem(request, error.status, str(error))
            except Unfit as error:
                return self.problem(request, 400, error.text)
            except BookError as error:
                return self.problem(request, 503, str(error))

        return answered

    async def overview(self, request: web.Request) -> web.Response:
        return self.render(request, "overview.html", view=await watching.overview(self._served))

    async def alerts(self, request: web.Request) -> web.Response:
        state = chosen(request, "state", ["", *(state.value for state in State)]) or ""
        page = _page_number(request)
        alerting, now = self.alerting(), self._served.clock.now()
        view = await alerts_api.list_alerts(
            alerting, now, state or None, ALERTS_A_PAGE, (page - 1) * ALERTS_A_PAGE, evidence=True
        )
        targets = watching.target_list(self._served).targets
        return self.render(
            request,
            "alerts.html",
            has_forms=True,
            view=view,
            state=state,
            unread=[target.name for target in targets if target.state != "ok"],
            silences={
                name: alert_views.silence_view(silence, now) for name, silence in alerting.scribe.book.silences.items()
            },
            said=_said(request, alerting, now),
            parameters={"state": state},
            **_paging(page, view.total, ALERTS_A_PAGE),
        )

    async def tasks(self, request: web.Request) -> web.Response:
        names = [target.name for target in self._served.targets]
        sort = chosen(request, "sort", SORTS) or SORTS[0]
        target = chosen(request, "target", ["", *names]) or ""
        search, page = request.query.get("search", "")[:200], _page_number(request)
        view = await watching.task_list(
            self._served,
            sort=sort,
            search=search,
            target=target or None,
            offset=(page - 1) * TASKS_A_PAGE,
            limit=TASKS_A_PAGE,
        )
        return self.render(
            request,
            "tasks.html",
            view=view,
            sort=sort,
            search=search,
            target=target,
            targets=names,
            parameters={"sort": sort, "search": search, "target": target},
            **_paging(page, view.total, TASKS_A_PAGE),
        )

    async def task(self, request: web.Request) -> web.Response:
        task = request.match_info["task"]
        view = watching.task_answer(self._served, task, request.query.get("target") or None)
        return self.render(request, "task.html", here="/tasks", task=task, view=view)

    async def rules(self, request: web.Request) -> web.Response:
        page = _page_number(request)
        view = await alerts_api.list_rules(
            self.alerting(), self._served.clock, RULES_A_PAGE, (page - 1) * RULES_A_PAGE, reasons=True
        )
        return self.render(
            request,
            "rules.html",
            view=view,
            reloaded=self._served.reloaded,
            parameters={},
            **_paging(page, view.total, RULES_A_PAGE),
        )

    async def targets(self, request: web.Request) -> web.Response:
        return self.render(request, "targets.html", view=watching.target_list(self._served))

    async def notifications(self, request: web.Request, mistake: str = "") -> web.Response:
        alerting, now = self.alerting(), self._served.clock.now()
        status = chosen(request, "status", ["", *(status.value for status in LetterStatus)]) or ""
        view = await alerts_api.list_notifications(
            alerting,
            now,
            status=LetterStatus(status) if status else None,
            limit=LETTERS_A_PAGE,
            cursor=request.query.get("cursor") or None,
        )
        kinds = {name: config.kind for name, config in alerting.ruleset.receivers.items()}
        return self.render(
            request,
            "notifications.html",
            409 if mistake else 200,
            has_forms=True,
            view=view,
            status=status,
            receivers=alert_views.receiver_list(kinds, alerting.scribe.book, now),
            said=mistake or ("Done." if "done" in request.query else ""),
            said_mood="bad" if mistake else "well",
            parameters={"status": status},
        )

    async def silences(
        self, request: web.Request, mistake: str = "", wish: alert_views.SilenceWish | None = None
    ) -> web.Response:
        alerting, now, page = self.alerting(), self._served.clock.now(), _page_number(request)
        first = (page - 1) * SILENCES_A_PAGE
        view = alert_views.silence_list(alerting.scribe.book.silences.values(), now, SILENCES_A_PAGE, first)
        empty = alert_views.SilenceWish(
            matchers=request.query.get("matchers", "")[:2000], duration="2h", author="", comment=""
        )
        return self.render(
            request,
            "silences.html",
            400 if mistake else 200,
            has_forms=True,
            here="/silences",
            view=view,
            said=_said(request, alerting, now),
            mistake=mistake,
            wish=wish or empty,
            parameters={},
            **_paging(page, view.total, SILENCES_A_PAGE),
        )

    async def runbook(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        text = shipped_runbook(name)
        if text is None:
            raise Problem(404, "not_found", f"No runbook {found(name)} comes with this program.")
        return self.render(request, "runbook.html", here="/alerts", name=name, text=text, refresh=0)

    def problem(self, request: web.Request, status: int, text: str) -> web.Response:
        title = _TITLES.get(status, "That did not work")
        return self.render(request, "problem.html", status, title=title, text=text, refresh=0)

    def alerting(self) -> Operated:
        """Raises `Problem` while it is not running."""
        alerting = self._served.alerting
        if alerting is None:
            raise Problem(503, "unavailable", "Alerting is not running yet. Load this page again in a moment.")
        return alerting

    def render(self, request: web.Request, template: str, code: int = 200, **context: object) -> web.Response:
        alerting = self._served.alerting
        shared: dict[str, object] = {
            "version": __version__,
            "at": iso(self._served.clock.now()),
            "here": request.path,
            "refresh": REFRESH_S,
            "has_forms": False,
            "many": len(self._served.targets) > 1,
            "firing_now": 0
            if alerting is None
            else sum(alert.state is not State.PENDING for alert in alerting.scribe.book.alerts.values()),
        }
        text = templates().get_template(template).render(shared | context)
        response = web.Response(text=text, status=code, content_type="text/html")
        response.headers["Content-Security-Policy"] = PAGE_SECURITY
        response.headers["Cache-Control"] = "no-store"
        return response


def _page_number(request: web.Request) -> int:
    return numbered(request, "page", 1, 1, MOST_PAGES)


def _paging(page: int, total: int, size: int) -> dict[str, int]:
    return {"page": page, "pages": max(1, -(-total // size))}


def _said(request: web.Request, alerting: Operated, now: int) -> str:
    """What became of a form that led here, from what is there now: the address alone says nothing."""
    silence = alerting.scribe.book.silences.get(request.query.get("silence", ""))
    if silence is None:
        return ""
    told = alert_views.silence_answer(silence, alerting.scribe.book.alerts.values(), now)
    if told.silence.state == "expired":
        return f"{told.silence.matchers} is not silenced any more."
    fits = {0: "no alert that is there now", 1: "one alert that is there now"}
    until = clock(told.silence.ends_at)
    return (
        f"{told.silence.matchers} is silenced until {until}. "
        f"It fits {fits.get(told.fits, f'{told.fits:,} alerts that are there now')}."
    )
