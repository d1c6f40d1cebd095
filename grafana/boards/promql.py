"""Words for writing queries: selectors that follow the variables at the top, rates, shares, ages. Pure text.

Nothing here turns the unknown into zero: `or_zero` says 0 only while the collector that would know is well.
"""

from __future__ import annotations

SCOPE = 'job=~"$job", instance=~"$instance"'
"""Where it is scraped from."""
FAILURES = "FAILED|CRASHED|SYSTEM_FAILURE|TIMED_OUT"
STEP = "$__rate_interval"


def eq(label: str, value: str) -> str:
    """A matcher."""
    return f'{label}="{value}"'


def like(label: str, pattern: str) -> str:
    """A matcher by regular expression."""
    return f'{label}=~"{pattern}"'


def differs(label: str, value: str) -> str:
    return f'{label}!="{value}"'


def own(name: str, *matchers: str) -> str:
    """A family of the process, which has no target."""
    return f"triggerdev_{name}{{{', '.join((SCOPE, *matchers))}}}"


def of(name: str, *matchers: str) -> str:
    """A family of the targets chosen at the top."""
    return own(name, 'target=~"$target"', *matchers)


def rate(name: str, *matchers: str) -> str:
    return f"rate({of(name, *matchers)}[{STEP}])"


def grown(name: str, *matchers: str) -> str:
    """By how much a counter grew over what is shown."""
    return f"increase({of(name, *matchers)}[$__range])"


def total(expr: str, *by: str) -> str:
    return f"sum by ({', '.join(by)}) ({expr})" if by else f"sum({expr})"


def share(part: str, whole: str) -> str:
    """A part of a whole; nothing where the whole is nothing."""
    return f"{part} / ({whole} > 0)"


def some(part: str, whole: str) -> str:
    """The part, and 0 where there is a whole that has none of it."""
    return f"({part} or 0 * {whole})"


def age(name: str, *matchers: str) -> str:
    """How long ago a timestamp was."""
    return f"time() - {of(name, *matchers)}"


def quantile(level: float, family: str, *matchers: str, by: tuple[str, ...] = (), window: str = STEP) -> str:
    """A quantile of a histogram; nothing where nothing ended."""
    how = "rate" if window == STEP else "increase"
    buckets, count = (f"{how}({of(family + end, *matchers)}[{window}])" for end in ("_bucket", "_count"))
    match = f" and on ({', '.join(by)}) ({total(count, *by)} > 0)"
    return f"histogram_quantile({level}, {total(buckets, 'le', *by)}){match}"


def or_zero(expr: str, collector: str) -> str:
    """0 where there is nothing, but only while `collector` is well: blind is not zero."""
    well = of("collector_up", f'collector="{collector}"')
    return f"{expr} or (0 * max({well} == 1))"


def or_zero_alive(expr: str) -> str:
    """0 where there is nothing, while the exporter is scraped: for what it knows by itself."""
    return f"{expr} or (0 * max({own('exporter_build_info')}))"
