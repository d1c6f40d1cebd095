"""What is judged of this host and of receivers, a row a check: the state file, the disk below it, the rules. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from triggerdev_alerts.documents.mistakes import Mistake, shown
from triggerdev_alerts.rules.model import RuleSet
from triggerdev_exporter.config.access import Access
from triggerdev_exporter.config.addresses import Listen
from triggerdev_exporter.doctor.finding import Check, Finding, broken, ok, unknown, warning
from triggerdev_exporter.doctor.matching import aimless_rules
from triggerdev_exporter.doctor.premises import Premises
from triggerdev_exporter.doctor.subject import many

#: File systems of other machines: SQLite's log needs memory that all who open it share, and locks that hold.
NETWORKED = frozenset(
    "nfs nfs4 cifs smb3 smbfs 9p ceph afs glusterfs lustre ocfs2 gfs2 beegfs fuse.sshfs fuse.glusterfs fuse.s3fs "
    "fuse.gcsfuse fuse.blobfuse fuse.rclone fuse.juicefs fuse.ceph".split()
)
FREE_LOW, FREE_NONE = 256 << 20, 16 << 20


@dataclass(frozen=True, slots=True)
class Host:
    """What was seen of this host."""

    state: Premises
    book: Premises
    ruleset: RuleSet
    warnings: Sequence[Mistake]
    """What is odd about the rules."""
    targets: Sequence[str]
    listen: Listen
    access: Access
    odd: Sequence[str] = ()
    """What is odd about the configuration, as `check` prints it."""


@dataclass(frozen=True, slots=True)
class Reached:
    """What became of looking for one receiver."""

    kind: str
    spots: Sequence[str]
    problems: Sequence[str]


def _state(host: Host) -> Finding:
    for seen in (host.state, host.book):
        if seen.problem:
            said = seen.problem if str(seen.path) in seen.problem else f"{seen.path}: {seen.problem}"
            return broken(said, "see above; a state that is lost counts nothing twice, its counters begin at 0")
    state = host.state
    held = f"; in use by {state.owner}" if state.owner else ""
    if not state.exists:
        return ok(f"{state.path} will be made at the first start")
    known = f", counts {', '.join(sorted(state.environments))}" if state.environments else ""
    return ok(f"{state.path}, {_size(state.size + host.book.size)}{known}{held}")


def _disk(host: Host) -> Finding:
    state = host.state
    if state.filesystem in NETWORKED:
        return broken(
            f"the state is on a network file system ({state.filesystem}): locks may not hold there, and a file that "
            "two write is lost",
            "put `state:` on a disk of this host (in Kubernetes: a volume that is a block device, ReadWriteOnce)",
        )
    if state.filesystem in ("tmpfs", "ramfs"):
        return warning(
            f"the state is in memory ({state.filesystem}): it is lost when the machine restarts, or the container",
            "put `state:` on a disk or a volume; else counters begin anew, and alerts are told again",
        )
    if state.free is None:
        return unknown("how much is free is not told")
    of = f" ({state.filesystem})" if state.filesystem else ""
    if state.free < FREE_NONE:
        return broken(f"{_size(state.free)} are free{of}: nothing can be written down", "make room, or move `state:`")
    if state.free < FREE_LOW:
        return warning(f"{_size(state.free)} are free{of}", "make room: the state grows with tasks, not with time")
    return ok(f"a file system of this host{of}, {_size(state.free)} free")


def _alerts(host: Host) -> Finding:
    aimless = aimless_rules(host.ruleset, host.targets)
    if aimless:
        return warning(f"{aimless[0].rule.name}: {aimless[0].why}", "mend the name of the target in the rule")
    if host.warnings:
        more = f"; {len(host.warnings) - 1} more" if len(host.warnings) > 1 else ""
        first = host.warnings[0]
        place = f"{first.place.name}:{first.place.line}: " if first.place and first.place.line else ""
        return warning(f"{place}{shown(first)}{more}", "`triggerdev-exporter rules check` shows each with its line")
    rules = sum(rule.enabled for rule in host.ruleset.rules)
    if host.ruleset.routes is None:
        return ok(f"{rules} rules, and nobody is told: there are no routes")
    return ok(f"{many(rules, 'rule')}, {many(len(host.ruleset.receivers), 'receiver')}")


def _config(host: Host) -> Finding:
    if not host.odd:
        return ok(f"it watches {', '.join(host.targets)}")
    # The first line: below it stand the line of the file and a caret.
    said = "; ".join(text.partition("\n")[0].replace("warning[", "[") for text in host.odd)
    return warning(said, "`triggerdev-exporter check` shows each with its line")


def _access(host: Host) -> Finding:
    is_inside = host.listen.host in ("localhost", "::1") or host.listen.host.startswith("127.")
    if host.access.users and host.access.context is None and not is_inside:
        return warning(
            f"passwords come to {host.listen} in the clear",
            "write tls_server_config into web.config_file, or let only a proxy with TLS reach this port",
        )
    if not host.access.users and host.access.context is None:
        return ok(f"{host.listen} is open to whoever reaches it: no TLS, no users (docs/access.md)")
    number = len(host.access.users)
    users = "1 user" if number == 1 else f"{number or 'no'} users"
    return ok(f"{host.listen}: {'TLS' if host.access.context else 'no TLS'}, {users}")


HOST_CHECKS: tuple[Check[Host], ...] = (
    Check("config", _config),
    Check("state", _state),
    Check("disk", _disk),
    Check("access", _access),
    Check("alerts", _alerts),
)


def _receiver(seen: Reached) -> Finding:
    if seen.problems:
        return broken(
            f"{seen.kind}: {'; '.join(seen.problems)}",
            "mend that; `triggerdev-exporter receivers test NAME` sends a message once the daemon runs",
        )
    return ok(f"{seen.kind}, reached; nothing was sent (`receivers test` does)")


RECEIVER_CHECKS: tuple[Check[Reached], ...] = (Check("receiver", _receiver),)


def _size(bytes_: int) -> str:
    for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if bytes_ >= size:
            return f"{bytes_ / size:.1f} {unit}"
    return f"{bytes_} bytes"
