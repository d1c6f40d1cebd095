"""A real browser, headless: Debian's chromium, one a worker. Nothing is downloaded."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from npm_project import install

AXE = Path(__file__).parent / "web" / "axe"
FLAGS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
"""As root, and in a container with little shared memory."""
PATIENCE_MS = 60_000
"""How long a busy machine may take for anything at all. Playwright's own five seconds are for idle ones."""
expect.set_options(timeout=PATIENCE_MS)
PHONE = {"width": 360, "height": 740}


def program(name: str) -> str:
    """Where it is. Skips where it is not installed, but fails in CI."""
    found = shutil.which(name)
    if found is None:
        in_ci = os.environ.get("CI", "").lower() in {"1", "true"}
        (pytest.fail if in_ci else pytest.skip)(f"{name} is not installed")
    return str(found)


@asynccontextmanager
async def open_browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=program("chromium"), args=FLAGS, timeout=3 * PATIENCE_MS
        )
        try:
            yield browser
        finally:
            await browser.close()


def axe_source() -> str:
    """The script of axe-core, out of npm."""
    install(AXE, program("npm"))
    return (AXE / "node_modules" / "axe-core" / "axe.min.js").read_text("utf-8")


@dataclass
class Visit:
    """One person's browser: a page, and what its console said."""

    page: Page
    url: str
    said: list[str] = field(default_factory=list)
    """Errors of the page and of the console: violations of the policy are among them."""

    async def go(self, path: str) -> None:
        answer = await self.page.goto(self.url + path)
        assert answer is not None
        assert answer.status == 200, await self.page.inner_text("main")

    async def text(self) -> str:
        return await self.page.inner_text("main")


@asynccontextmanager
async def visit(browser: Browser, url: str, **options: Any) -> AsyncIterator[Visit]:
    """A context of its own: no cookies, no cache of the others. What is wrong in its console is told at the end."""
    context: BrowserContext = await browser.new_context(**options)
    context.set_default_timeout(PATIENCE_MS)
    try:
        one = Visit(await context.new_page(), url)
        one.page.on("console", lambda message: one.said.append(message.text) if message.type == "error" else None)
        one.page.on("pageerror", lambda error: one.said.append(str(error)))
        one.page.on("dialog", lambda dialog: one.said.append(f"a dialog: {dialog.message}"))
        yield one
        assert one.said == []
    finally:
        await context.close()
