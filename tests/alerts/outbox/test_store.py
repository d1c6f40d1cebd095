"""The file of the book: what was committed is what is loaded, and a file that cannot be used says what to do."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from alert_notices import NOW, told
from triggerdev_alerts.book import (
    Book,
    Changes,
    Draft,
    Flap,
    Kind,
    Letter,
    LetterStatus,
    ReceiverEntry,
    Silence,
)
from triggerdev_alerts.errors import BookError
from triggerdev_alerts.instants import DAY
from triggerdev_alerts.outbox.memory import MemoryStore
from triggerdev_alerts.outbox.storage import Storage
from triggerdev_alerts.outbox.store import BookStore, open_book_store


def a_letter(number: int = 1, status: LetterStatus = LetterStatus.QUEUED, **changes: object) -> Letter:
    letter = Letter(
        id=f"msg_{number:05}",
        receiver="hook",
        group_key="g",
        seq=number,
        notification=told(),
        body="ü\n\x00",
        status=status,
        created_at=NOW + number,
    )
    return replace(letter, **changes)


def of(*letters: Letter) -> Changes:
    changes = Changes()
    changes.letters = {letter.id: letter for letter in letters}
    return changes


def known(book: Book) -> object:
    counts = {place: value for place, value in book.counts.items() if value}
    return book.entries, book.letters, book.letters_by_group, counts, book.alerts_by_rule


@pytest.fixture(params=["file", "memory"])
async def storage(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Storage]:
    storage: Storage = open_book_store(tmp_path / "book.db") if request.param == "file" else MemoryStore()
    yield storage
    await storage.close()


CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["receiver", "flap", "letter", "gone", "count"]),
        st.sampled_from(["a", "ü\n", 'b"\\{}', ""]),
        st.integers(0, 5),
    ),
    max_size=12,
)


@given(st.lists(CHANGES, max_size=4))
async def test_what_was_committed_is_what_is_loaded(
    tmp_path_factory: pytest.TempPathFactory, steps: list[list[tuple[str, str, int]]]
) -> None:
    path = tmp_path_factory.mktemp("book") / "state-alerts.db"
    store, memory, book = open_book_store(path), MemoryStore(), Book()
    for step in steps:
        draft = Draft(book)
        for what, key, number in step:
            if what == "receiver":
                draft.put(Kind.RECEIVER, key, ReceiverEntry(handles={key: str(number)}, sent=(number,)))
            elif what == "flap":
                draft.put(Kind.FLAP, key, Flap(changes=(number,)))
            elif what == "gone":
                draft.drop(Kind.RECEIVER, key)
            elif what == "letter":
                draft.put_letter(a_letter(number, list(LetterStatus)[number % 5], group_key=f"g{number % 2}"))
            else:
                draft.count("notifications_total", (key, "dead"), number)
        await store.commit(draft.changes)
        await memory.commit(draft.changes)
        book.absorb(draft.changes)
    await store.close()
    again = open_book_store(path)
    assert known(await again.load()) == known(book) == known(await memory.load())
    assert await again.letters(limit=100) == await memory.letters(limit=100)
    await again.close()


async def test_a_commit_that_fails_changes_nothing(tmp_path: Path) -> None:
    store = open_book_store(tmp_path / "book.db")
    with contextlib.closing(sqlite3.connect(tmp_path / "book.db")) as breaker:
        breaker.execute("CREATE TRIGGER no BEFORE INSERT ON count BEGIN SELECT RAISE(FAIL, 'no room'); END")
        breaker.commit()
    changes = of(a_letter())
    changes.entries[Kind.FLAP, "x"] = Flap()
    changes.counts["notifications_total", ("hook", "dead")] = 1
    with pytest.raises(BookError, match="no room"):
        await store.commit(changes)
    assert known(await store.load()) == known(Book())
    await store.close()


async def test_letters_are_found_by_what_they_are_and_page_by_page(storage: Storage) -> None:
    letters = [a_letter(number, receiver=f"r{number % 2}", group_key=f"g{number % 3}") for number in range(9)]
    letters.append(a_letter(9, LetterStatus.DEAD, created_at=NOW + 8, done_at=NOW + 20, receiver="r1"))
    await storage.commit(of(*letters))

    async def ids(**wanted: object) -> list[int]:
        return [letter.seq for letter in await storage.letters(**wanted)]  # type: ignore[arg-type]  # from the test

    assert await ids() == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]
    assert await ids(limit=2) == [9, 8]
    assert await ids(limit=3, before=(NOW + 8, "msg_00009")) == [8, 7, 6]
    assert await ids(status=LetterStatus.DEAD) == [9]
    assert await ids(receiver="r1", group_key="g0") == [3]
    assert (await storage.letter("msg_00009")) == letters[9]
    assert await storage.letter("msg_other") is None
    assert list((await storage.load()).letters) == [f"msg_{number:05}" for number in range(9)]


async def test_letters_are_forgotten_a_week_after_they_are_done_and_open_ones_never(storage: Storage) -> None:
    old, new = NOW, NOW + 8 * DAY
    await storage.commit(
        of(
            a_letter(1),
            a_letter(2, LetterStatus.SENDING),
            a_letter(3, LetterStatus.SENT, done_at=old),
            a_letter(4, LetterStatus.DEAD, done_at=old),
            a_letter(5, LetterStatus.SUPERSEDED, done_at=new - DAY),
        )
    )
    assert await storage.forget(new) == 2
    assert [letter.seq for letter in await storage.letters()] == [5, 2, 1]
    assert await storage.forget(new) == 0


async def test_too_many_letters_crowd_out_the_oldest_but_not_the_dead(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    for where in ("memory", "store"):
        monkeypatch.setattr(f"triggerdev_alerts.outbox.{where}.MOST_KEPT", 3)
    done = [a_letter(number, LetterStatus.SENT, done_at=NOW + number) for number in range(10)]
    await storage.commit(of(a_letter(10, LetterStatus.DEAD, done_at=NOW), a_letter(11), *done))
    assert await storage.forget(NOW + 100) == 7
    assert [letter.seq for letter in await storage.letters()] == [11, 10, 9, 8, 7]


def make_newer(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE entry (id INTEGER)")
        connection.execute("PRAGMA user_version = 2000")


def make_foreign(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE somebody_elses (id INTEGER)")


@pytest.mark.parametrize(
    ("spoil", "says", "remedy"),
    [
        (
            lambda path: path.write_bytes(b"not a database, but long enough to look at" * 30),
            "is damaged",
            "Move it away",
        ),
        (make_newer, "newer triggerdev-exporter (book 2, this program knows 1)", "Run that version"),
        (make_foreign, "not a book of alerts of triggerdev-exporter", "another `state:`"),
        (lambda path: path.mkdir(), "cannot write the book of alerts", "another `state:`"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_the_remedy(
    tmp_path: Path, spoil: object, says: str, remedy: str
) -> None:
    path = tmp_path / "state-alerts.db"
    spoil(path)  # type: ignore[operator]  # a callable, from the table
    with pytest.raises(BookError) as refused:
        open_book_store(path)
    assert str(refused.value).startswith(f"{path}: ")
    assert says in str(refused.value)
    assert remedy in str(refused.value)


def test_a_place_where_nothing_can_be_made_is_refused_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BookError, match=r"cannot make the book of alerts: .*lies beside it"):
        open_book_store(tmp_path / "file" / "state-alerts.db")


async def _with(store: BookStore, pragma: str) -> str:
    await store._file.run(lambda: store._connection.execute(pragma))
    with pytest.raises(BookError) as refused:
        await store.commit(of(*(a_letter(number, body="x" * 10_000) for number in range(50))))
    return str(refused.value)


async def test_a_full_disk_and_a_file_that_became_read_only_are_told_apart(tmp_path: Path) -> None:
    store = open_book_store(tmp_path / "book.db")
    assert "the disk is full; nothing was lost" in await _with(store, "PRAGMA max_page_count = 1")
    assert "cannot write the book of alerts" in await _with(store, "PRAGMA query_only = 1")
    await store.close()


async def test_a_file_that_somebody_holds_locked_is_told_as_that(tmp_path: Path) -> None:
    store = open_book_store(tmp_path / "book.db")
    await store._file.run(lambda: store._connection.execute("PRAGMA busy_timeout = 0"))
    with contextlib.closing(sqlite3.connect(tmp_path / "book.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(BookError, match="another program holds the book of alerts locked"):
            await store.commit(of(a_letter()))
    await store.commit(of(a_letter()))
    assert store.size() > 0
    await store.close()


@pytest.mark.parametrize(
    "spoil",
    [
        "INSERT INTO entry VALUES ('flap', 'x', 'no json')",
        """INSERT INTO entry VALUES ('flap', 'x', '{"changes": "no"}')""",
        "INSERT INTO letter VALUES ('x', 'r', 'g', 1, 'queued', 1, 0, '{}')",
        "INSERT INTO count VALUES ('f', 'no', 1)",
    ],
)
async def test_content_that_is_not_ours_is_damage(tmp_path: Path, spoil: str) -> None:
    store = open_book_store(tmp_path / "book.db")
    await store._file.run(lambda: store._connection.execute(spoil))
    with pytest.raises(BookError, match=r"is damaged .* Move it away"):
        await store.load()
    if "letter" in spoil:
        with pytest.raises(BookError, match="is damaged"):
            await store.letters()
    await store.close()


async def test_a_newer_minor_is_read_and_what_it_added_stays(tmp_path: Path) -> None:
    path = tmp_path / "book.db"
    store = open_book_store(path)
    await store.commit(of(a_letter()))
    await store.close()
    with contextlib.closing(sqlite3.connect(path)) as newer:
        newer.execute("INSERT INTO entry VALUES ('hologram', 'x', '{}')")
        newer.execute("""INSERT INTO entry VALUES ('receiver', 'hook', '{"failing_since": 5, "colour": "red"}')""")
        newer.execute("PRAGMA user_version = 1007")
        newer.commit()
    again = open_book_store(path)
    book = await again.load()
    assert book.receivers["hook"].failing_since == 5
    assert list(book.letters) == ["msg_00001"]
    await again.close()
    with contextlib.closing(sqlite3.connect(path)) as kept:
        assert kept.execute("SELECT count(*) FROM entry WHERE kind = 'hologram'").fetchone() == (1,)
        assert kept.execute("PRAGMA user_version").fetchone() == (1007,)


async def test_a_silence_survives_as_it_was(storage: Storage) -> None:
    silence = Silence(
        id="sil_1",
        matchers=(("task", True, ("a*", "b")),),
        starts_at=NOW,
        ends_at=NOW + DAY,
        author="ü",
        comment="c",
        created_at=NOW,
    )
    changes = Changes()
    changes.entries[Kind.SILENCE, "sil_1"] = silence
    await storage.commit(changes)
    assert (await storage.load()).silences == {"sil_1": silence}
