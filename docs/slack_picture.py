"""Draws Slack messages: the real payloads, as HTML that looks like Slack, and from it the picture in README.

`.venv/bin/python docs/slack_picture.py` writes docs/slack-message.png with the chromium on PATH; with the names of
payload files it draws those, `--html` prints the page instead. What a message says is not here: it comes from the
goldens in tests/alerts/message/golden.
"""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
GOLDEN = HERE.parent / "tests" / "alerts" / "message" / "golden"
PICTURE = HERE / "slack-message.png"
SHOWN = ("firing", "resolved")
WIDTH, HEIGHT = 800, 705

_MARKUP = re.compile(
    r"```\n?(?P<code>.*?)\n?```\n?|<!date\^\d+\^[^|]*\|(?P<date>[^>]*)>|<(?P<url>https?:[^|>]*)\|(?P<label>[^>]*)>"
    r"|<(?P<ping>[!@][^>]*)>|(?<![^\W_])\*(?P<bold>[^*\n]+)\*(?!\w)|\n",
    re.DOTALL,
)
_SENT = re.compile(r"\|[-0-9]+ ([0-9:]+) UTC>")
_STYLE = """
body { margin: 0; padding: 18px 22px; width: 720px; background: #fff; color: #1d1c1d;
       font: 15px/1.47 Lato, "Helvetica Neue", "Liberation Sans", Arial, sans-serif; }
.message { display: flex; gap: 10px; margin-bottom: 20px; }
.face { flex: none; width: 36px; height: 36px; border-radius: 5px; background: #4a154b; color: #fff; font-weight: 900;
        text-align: center; line-height: 36px; }
.name { font-weight: 900; } .app { background: #e8e8e8; border-radius: 2px; font-size: 10px; padding: 1px 3px;
        color: #616061; font-weight: 700; } .time, .context { font-size: 12px; color: #616061; }
.said { flex: 1; min-width: 0; } h3 { margin: 4px 0 8px; font-size: 18px; line-height: 1.3; }
.attachment { display: flex; gap: 10px; } .bar { flex: none; width: 4px; border-radius: 8px; }
.blocks { flex: 1; min-width: 0; } .block { margin-bottom: 8px; overflow-wrap: anywhere; }
pre { margin: 4px 0; padding: 8px; border: 1px solid #ddd; border-radius: 4px; background: #f8f8f8; font-size: 12px;
      line-height: 1.5; font-family: Monaco, Menlo, "DejaVu Sans Mono", monospace; white-space: pre-wrap; }
a { color: #1264a3; text-decoration: none; } .ping { background: #fdf2d0; color: #1264a3; }
.button { display: inline-block; border: 1px solid #bbb; border-radius: 4px; padding: 3px 12px; font-weight: 700;
          font-size: 13px; color: #1d1c1d; margin-right: 8px; }
"""


def page(payloads: Sequence[Mapping[str, Any]]) -> str:
    """The messages under each other, as an HTML page."""
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Slack</title><style>{_STYLE}</style>'
        + "".join(_message(payload) for payload in payloads)
        + "</html>\n"
    )


def _message(payload: Mapping[str, Any]) -> str:
    blocks = "".join(_blocks(payload["blocks"]))
    for attachment in payload["attachments"]:
        colour = html.escape(attachment["color"])
        inner = "".join(_blocks(attachment["blocks"]))
        blocks += (
            f'<div class="attachment"><div class="bar" style="background:{colour}"></div>'
            f'<div class="blocks">{inner}</div></div>'
        )
    head = '<span class="name">triggerdev-exporter</span> <span class="app">APP</span> '
    head += f'<span class="time">{(_SENT.findall(json.dumps(payload)) or [""])[-1]}</span>'
    return f'<div class="message"><div class="face">T</div><div class="said">{head}{blocks}</div></div>'


def _blocks(blocks: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for block in blocks:
        match block["type"]:
            case "header":
                yield f"<h3>{_text(block['text'])}</h3>"
            case "section":
                yield f'<div class="block">{_text(block["text"])}</div>'
            case "context":
                yield f'<div class="block context">{"".join(_text(one) for one in block["elements"])}</div>'
            case "actions":
                buttons = "".join(
                    f'<a class="button" href="{html.escape(one["url"])}">{_text(one["text"])}</a>'
                    for one in block["elements"]
                )
                yield f'<div class="block">{buttons}</div>'
            case other:
                raise ValueError(f"a block of type {other} is not drawn")


def _text(text: Mapping[str, Any]) -> str:
    if text["type"] == "plain_text":
        return html.escape(text["text"])
    return _markup(text["text"])


def _markup(text: str) -> str:
    """Slack's markup as HTML. Its escaping is the one of HTML, so what is left needs none."""
    drawn, at = [], 0
    for match in _MARKUP.finditer(text):
        drawn += [text[at : match.start()], _drawn(match)]
        at = match.end()
    return "".join([*drawn, text[at:]])


def _drawn(match: re.Match[str]) -> str:
    if match["code"] is not None:
        return f"<pre>{match['code']}</pre>"
    if match["date"] is not None:
        return match["date"]
    if match["url"] is not None:
        return f'<a href="{match["url"]}">{match["label"]}</a>'
    if match["ping"] is not None:
        return f'<span class="ping">{html.escape(match["ping"])}</span>'
    return f"<b>{match['bold']}</b>" if match["bold"] is not None else "<br>"


def draw(document: str, picture: Path, height: int) -> None:
    """Write the page as a PNG. Raises `SystemExit` where there is no browser."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        raise SystemExit("no chromium on PATH (on Debian: apt-get install chromium)")
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "slack.html"
        source.write_text(document, "utf-8")
        options = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--force-device-scale-factor=1.5",
        ]
        size = f"--window-size={WIDTH},{height}"
        where = f"--user-data-dir={folder}/profile"
        command = [browser, *options, size, where, f"--screenshot={picture.resolve()}", source.as_uri()]
        subprocess.run(command, check=True, capture_output=True, timeout=120)  # noqa: S603  # the browser found above


def _main(arguments: Sequence[str]) -> None:
    files = [Path(name) for name in arguments if not name.startswith("--")]
    files = files or [GOLDEN / f"{name}.slack.json" for name in SHOWN]
    document = page([json.loads(file.read_text("utf-8")) for file in files])
    if "--html" in arguments:
        sys.stdout.write(document)
        return
    to = next((name.removeprefix("--to=") for name in arguments if name.startswith("--to=")), None)
    tall = next((int(name.removeprefix("--height=")) for name in arguments if name.startswith("--height=")), HEIGHT)
    draw(document, Path(to) if to else PICTURE, tall)


if __name__ == "__main__":
    _main(sys.argv[1:])
