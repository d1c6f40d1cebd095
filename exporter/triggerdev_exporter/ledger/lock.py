"""One daemon per state: an advisory lock on a file beside it, with the owner's name in it."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
from pathlib import Path
from types import TracebackType

from triggerdev_exporter.errors import StateError


class StateLock:
    """Held while the daemon runs; the system lets go of it when the process ends, however it ends."""

    def __init__(self, state: Path) -> None:
        self.path = state.with_name(state.name + ".lock")
        self._state = state
        self._handle: int | None = None

    def __enter__(self) -> StateLock:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StateError(
                f"{self.path}: cannot make the lock file: {error.strerror}. "
                "Give a writable place: `state:` in the configuration, or TRIGGERDEV_EXPORTER_STATE."
            ) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.pread(handle, 200, 0).decode(errors="replace").strip() or "another process"
            os.close(handle)
            if error.errno in (errno.EAGAIN, errno.EACCES):
                raise StateError(
                    f"{self._state}: in use by {owner}. Two daemons would count twice: stop that one, "
                    "or give this one a `state:` of its own."
                ) from error
            raise StateError(
                f"{self.path}: cannot lock: {error.strerror}. A network file system may not know locks."
            ) from error
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
        self._handle = handle
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
