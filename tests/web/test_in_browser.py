"""The pages in a real browser: flows that are clicked, no script, a phone, the policy, and who uses a screen reader."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
import pytest_asyncio
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, expect

from browsing import PHONE, axe_source, open_browser, visit
from pages_stage import Paged, paged
from triggerdev_alerts.alert import State
from triggerdev_exporter.web.server import make_app

pytestmark = pytest.mark.asyncio(loop_scope="module")

NASTY = "<script>alert(1)</script>" + "a-very-long-name-without-any-break" * 3
INJECT = """new Promise(done => {
  document.addEventListener("securitypolicyviolation", event => done(event.effectiveDirective));
  const script = document.createElement("script");
  script.textContent = "1";
  document.body.append(script);
})"""
PATHS = (
    "/",
    "/alerts",
    "/tasks",
    "/tasks/charge-card",
    "/rules",
    "/targets",
    "/notifications",
    "/silences",
    "/runbooks/QueueStalled",
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with open_browser() as browser:
        yield browser


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Paged]:
    """A shop that has lived for half an hour, with something of everything that a page may show."""
    async with paged(tmp_path_factory.mktemp("pages"), "shop", history_s=1800) as stage:
        world = stage.story.world
        world.add_queue(NASTY, limit=1)
        for status in ("COMPLETED", "FAILED", "FAILED", "QUEUED"):
            world.add_run(task=NASTY, status=status, queue=NASTY)
        await stage.daemon.poll()
        await stage.let(120)
        await stage.put("TaskFailureRateHigh", task="charge-card", owner="payments")
        await stage.put("QueueBacklog", State.PENDING, queue=NASTY)
        await stage.dead("charge-card", NASTY)
        await stage.silence("task=something-else")
        yield stage


@pytest_asyncio.fixture(loop_scope="module")
async def url(stage: Paged) -> AsyncIterator[str]:
    await stage.let(30)  # so that nobody's rate is used up: this clock moves only when it is told to
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(TestServer(make_app(stage)))
        yield str(server.make_url("")).rstrip("/")


async def test_an_alert_is_silenced_seen_muted_and_told_again(browser: Browser, stage: Paged, url: str) -> None:
    alert = await stage.put("TaskFailureRateHigh", task="send-email")
    async with visit(browser, url) as one:
        await one.go("/")
        await one.page.get_by_role("link", name="All alerts").click()
        card = one.page.locator(f'[id="{alert.fingerprint}"]')
        await card.get_by_text("Silence…").click()
        await card.get_by_label("for").select_option("30m")
        await card.get_by_label("who").fill("bea")
        await card.get_by_label("why").fill("we know")
        pokes = stage.pokes
        await card.get_by_role("button", name="Silence", exact=True).click()
        await expect(one.page.get_by_role("status").last).to_contain_text("It fits one alert that is there now.")
        assert stage.pokes == pokes + 1, "the engine is woken"
        await expect(card).to_contain_text("silenced")
        await expect(card).to_contain_text("by bea: we know")
        (silence,) = (each for each in stage.book.silences.values() if each.author == "bea")
        assert silence.ends_at - silence.starts_at == 30 * 60_000

        await one.go("/silences")
        row = one.page.get_by_role("row").filter(has_text="send-email")
        await expect(row).to_contain_text("active")
        await row.get_by_role("button", name="End silence").click()
        await expect(one.page.get_by_role("row").filter(has_text="send-email")).to_contain_text("expired")
        await one.go("/alerts")
        await expect(card.get_by_text("Silence…")).to_be_visible()
        await expect(card).not_to_contain_text("silenced")


async def test_all_of_it_without_javascript(browser: Browser, stage: Paged, url: str) -> None:
    async with visit(browser, url, java_script_enabled=False) as one:
        await one.go("/silences")
        await one.page.get_by_label("alerts with all of these labels").fill("task=~charge-*")
        await one.page.get_by_role("button", name="Silence", exact=True).click()
        await expect(one.page.get_by_role("status").last).to_contain_text("It fits one alert")
        await one.go("/alerts?state=firing")
        card = one.page.get_by_role("article").filter(has_text="charge-card")
        await expect(card).to_contain_text("by somebody on the page: added on the page")
        await card.get_by_role("button", name="End silence").click()
        await expect(one.page.get_by_role("status").last).to_contain_text("is not silenced any more")


async def test_what_cannot_be_meant_is_said_beside_what_was_typed(browser: Browser, url: str) -> None:
    async with visit(browser, url) as one:
        await one.go("/silences")
        await one.page.get_by_label("alerts with all of these labels").fill("task")
        await one.page.get_by_label("who").fill("ann")
        async with one.page.expect_response("**/silences") as answered:
            await one.page.get_by_role("button", name="Silence", exact=True).click()
        assert (await answered.value).status == 400
        await expect(one.page.get_by_role("alert")).to_contain_text("task")
        await expect(one.page.get_by_label("who")).to_have_value("ann")
        one.said.clear()  # chromium tells every 400 in the console


async def test_a_dead_letter_is_sent_again(browser: Browser, stage: Paged, url: str) -> None:
    async with visit(browser, url) as one:
        await one.go("/notifications?status=dead")
        await one.page.get_by_role("button", name="Send again").last.click()
        await expect(one.page.get_by_role("status").last).to_contain_text("Done.")
        letters = await stage.storage.letters(limit=10)
        assert {letter.status.value for letter in letters} == {"queued", "dead"}


async def test_a_page_renews_itself_and_says_when_it_cannot(browser: Browser, stage: Paged, url: str) -> None:
    async with visit(browser, url) as one:
        await one.page.clock.install()
        await one.go("/alerts")
        await stage.put("TaskFailureRateHigh", task="encode-video")
        await one.page.clock.run_for(11_000)
        await expect(one.page.locator("main")).to_contain_text("encode-video")
        # Whoever is typing is left alone.
        await one.page.get_by_text("Silence…").first.click()
        await one.page.get_by_label("who").first.fill("an")
        await stage.put("TaskFailureRateHigh", task="build-report")
        await one.page.clock.run_for(21_000)
        await expect(one.page.get_by_label("who").first).to_have_value("an")
        await one.page.get_by_text("Silence…").first.click()
        await one.page.route("**/alerts", lambda route: route.abort())
        await one.page.clock.run_for(11_000)
        await expect(one.page.locator("#news")).to_contain_text("The exporter does not answer")
        one.said.clear()  # chromium tells the broken request


async def test_on_a_phone_nothing_is_beside_the_screen(browser: Browser, url: str) -> None:
    async with visit(browser, url, viewport=PHONE) as one:
        for path in (*PATHS, f"/tasks?search={NASTY[:30]}"):
            await one.go(path)
            width = await one.page.evaluate("document.documentElement.scrollWidth")
            assert width <= PHONE["width"], path


async def test_no_page_breaks_its_policy_whatever_names_say(browser: Browser, url: str) -> None:
    async with visit(browser, url) as one:
        for path in PATHS:
            await one.go(path)
            assert await one.page.evaluate("document.querySelectorAll('main script, [style], [onclick]').length") == 0
        await one.go("/tasks?sort=name")
        await one.page.get_by_role("link", name=NASTY).click()
        await expect(one.page.get_by_role("heading", level=1)).to_have_text(NASTY)
        refused = await one.page.evaluate(INJECT)
        assert refused == "script-src-elem"
        one.said.clear()  # that one was ours


@pytest.mark.parametrize(("scheme", "rules"), [("light", "null"), ("dark", '["color-contrast"]')])
async def test_axe_finds_nothing(browser: Browser, url: str, scheme: Any, rules: str) -> None:
    source = axe_source()
    async with visit(browser, url, color_scheme=scheme, bypass_csp=True) as one:
        for path in PATHS:
            await one.go(path)
            await one.page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
            await one.page.evaluate(source)
            found = await one.page.evaluate(f"axe.run({{runOnly: {rules} ?? undefined, resultTypes: ['violations']}})")
            told = [
                f"{path}: {each['id']} ({each['impact']}): {each['nodes'][0]['html'][:200]}"
                for each in found["violations"]
            ]
            assert told == []
