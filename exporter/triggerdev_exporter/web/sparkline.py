"""A small picture of numbers over time as SVG. Pure. It has classes instead of colours: CSS and themes decide those.

Bars of which nobody can say anything are drawn apart from bars of nothing, and what failed has another shape besides
another colour: it stands below the line.
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup, escape

from triggerdev_exporter.web.task_views import BarView

STEP, GAP = 5, 1
UP, DOWN = 20, 12
"""Heights above and below the line."""


def sparkline(bars: Sequence[BarView | None], says: str, *, wide: bool = False) -> Markup:
    """Above the line what ended and did not fail, below it what failed; `says` is what a screen reader reads.

    A wide one takes the width that CSS gives it.
    """
    known = [bar for bar in bars if bar is not None]
    most = max((bar.ended - bar.failed for bar in known), default=0)
    worst = max((bar.failed for bar in known), default=0)
    scale = max(most, worst, 1)
    shapes = []
    for place, bar in enumerate(bars):
        x = place * STEP
        if bar is None:
            shapes.append(f'<rect class="unknown" x="{x}" y="{UP - 1}" width="{STEP - GAP}" height="2"/>')
            continue
        up = _height(bar.ended - bar.failed, scale, UP)
        down = _height(bar.failed, max(worst, scale // 2, 1), DOWN)
        if up:
            shapes.append(f'<rect class="ended" x="{x}" y="{UP - up:g}" width="{STEP - GAP}" height="{up:g}"/>')
        if down:
            shapes.append(f'<rect class="failed" x="{x}" y="{UP + 1}" width="{STEP - GAP}" height="{down:g}"/>')
    width, height = len(bars) * STEP, UP + DOWN + 1
    size = 'preserveAspectRatio="none"' if wide else f'width="{width}" height="{height}"'
    return Markup(  # noqa: S704 - numbers and one text, which is escaped
        f'<svg class="spark" role="img" viewBox="0 0 {width} {height}" {size}>'
        f"<title>{escape(says)}</title>"
        f'<line class="line" x1="0" y1="{UP + 0.5}" x2="{width}" y2="{UP + 0.5}"/>{"".join(shapes)}</svg>'
    )


def _height(value: int, most: int, size: int) -> float:
    """At least a pixel and a half for anything at all."""
    return 0.0 if value <= 0 else max(1.5, round(size * min(value / most, 1.0), 1))
