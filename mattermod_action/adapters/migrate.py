"""`mattermod migrate`: yoyo's migrations, made safe to run by hand at night.

yoyo reads the migrations and keeps its own marks; the steps are run from here, one by one. For after an error yoyo runs
the rollbacks of the steps before, which on a database that was taken over would drop tables with rows in them; it has
no word for a migration that died half-way, and it does not see that one was edited.
"""

from __future__ import annotations

import threading
import uuid
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import pymysql
from yoyo import read_migrations

from mattermod_action.adapters import schema, yoyo_backend
from mattermod_action.adapters.book import Book
from mattermod_action.adapters.mysql import ACCESS, PASSING, MySQLStore, connect, raise_for
from mattermod_action.adapters.yoyo_backend import DDL_WAIT
from mattermod_action.errors import Down, Mistake
from mattermod_action.leases import TTL, acquire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from pymysql.connections import Connection
    from yoyo.migrations import Migration

    from mattermod_action.adapters.database_url import Database
    from mattermod_action.leases import Lease
    from mattermod_action.ports import Clock

LOCK = "migrate"
LOCK_WAIT = 300  # seconds to wait for another migrator
OF_SERVER = range(1000, 2000)  # numbers of the server's own errors; those of the client library follow
ADOPTED = 2  # the newest of the original's migrations that ours equal
CHANGING = ("ALTER", "CREATE", "DROP")  # what a killed migrator may have left running on the server


@dataclass(frozen=True)
class Move:
    """One migration to run, up or down; `loses` says what rows going down would take away."""

    number: int
    name: str
    doing: str
    loses: tuple[str, ...] = ()


@dataclass
class Migrator:
    """Carries out the operations of `mattermod migrate`. Each raises Mistake and Down, and returns what was done.

    `confirm` names the migrations whose going down may lose rows; with `dry_run` nothing is written.
    """

    database: Database
    clock: Clock
    run_url: str = ""
    confirm: Sequence[str] = ()
    dry_run: bool = False
    folder: Path = field(default_factory=schema.folder)
    tell: Callable[[str], None] = lambda _: None

    def up(self, count: int | None = None) -> list[Move]:
        """Apply what is missing, or the first `count` of it; a database of the original is adopted first."""
        newest = max(number for number, _ in schema.files(self.folder))
        return self._work(lambda book: newest if count is None else min(newest, self._now(book) + count))

    def down(self, count: int = 1) -> list[Move]:
        """Take back the newest `count` migrations."""
        return self._work(lambda book: max(0, self._now(book) - count))

    def goto(self, number: int) -> list[Move]:
        """Go up or down to `number`."""
        return self._work(lambda _: number)

    def adopt(self) -> int:
        """Take over a database that the original wrote; return its version. Nothing of it is changed."""
        with self._locked() as (book, _):
            number = book.originals_version()
            if not number:
                raise Mistake("there is nothing to adopt: the database was never migrated by the original")
            self._adopt(book, number)
            return number

    def force(self, number: int) -> list[Move]:
        """Note that the database has the migrations up to `number` and no others, and that none is unfinished."""
        with self._locked() as (book, _):
            self._check_number(book, number)
            book.check_newer()
            up = [Move(each, book.files[each].stem, "up") for each in book.files if each <= number]
            down = [Move(row.version, row.name, "down") for row in book.rows() if row.version > number]
            moves = [move for move in up if move.number not in book.clean()] + down
            if not self.dry_run:
                self._mark(book, number)
            return moves

    def status(self) -> list[dict[str, Any]]:
        """Return a row for each migration that we ship or the database has had."""
        with self._looking() as book:
            known = {number: {"version": number, "name": path.stem} for number, path in book.files.items()}
            empty = {"dirty": False, "doing": "", "step": 0, "applied_at": None, "run_url": "", "action": ""}
            known |= {row.version: asdict(row) for row in book.rows()}
            return [{**empty, **known[number]} for number in sorted(known)]

    def version(self) -> tuple[int, bool]:
        """Return the newest version applied (0 for none) and whether a migration died half-way."""
        with self._looking() as book:
            return book.version(), any(row.dirty for row in book.rows())

    def _work(self, target: Callable[[Book], int]) -> list[Move]:
        with self._locked() as (book, lease):
            if original := book.originals_version():
                self._adopt(book, original)
            book.check()
            number = target(book)
            self._check_number(book, number)
            moves = self._moves(book, number)
            self._refuse_loss(moves)
            if not self.dry_run:
                for move in moves:
                    self._carry_out(book, lease, move)
                book.tell_operators()
            return moves

    def _now(self, book: Book) -> int:
        return book.version() or (min(book.originals_version(), ADOPTED) if self.dry_run else 0)

    def _moves(self, book: Book, number: int) -> list[Move]:
        now = self._now(book)
        up = [Move(each, book.files[each].stem, "up") for each in range(now + 1, number + 1)]
        return up or [self._down(book, each) for each in range(now, number, -1)]

    def _down(self, book: Book, number: int) -> Move:
        with _connected(self.database) as connection:
            rollbacks = [rollback for _, rollback in schema.steps_of(book.files[number])]
            losses = [(rollback.loses(connection), rollback.forbidden) for rollback in rollbacks]
        for loss, forbidden in losses:
            if loss and forbidden:
                raise Mistake(f"migration {book.files[number].stem} is not taken back: it has {loss}, and {forbidden}")
        return Move(number, book.files[number].stem, "down", tuple(loss for loss, _ in losses if loss))

    def _refuse_loss(self, moves: Sequence[Move]) -> None:
        losing = [move for move in moves if move.loses and move.name not in self.confirm]
        if losing and not self.dry_run:
            lost = "; ".join(f"{move.name} would lose {', '.join(move.loses)}" for move in losing)
            names = ",".join(move.name for move in moves if move.loses)
            raise Mistake(f"{lost}. If that is meant, confirm it by name: `--confirm {names}` (input `confirm`)")

    def _carry_out(self, book: Book, lease: Lease, move: Move) -> None:
        """Mark dirty, run step by step, mark done."""
        migration = self._migrations()[move.number]
        book.begin(move.number, move.doing)
        steps = list(enumerate(migration.steps, 1))
        with yoyo_backend.opened(self.database) as backend:
            with backend.disable_transactions():
                for position, step in steps if move.doing == "up" else reversed(steps):
                    lease.check()
                    book.at(move.number, position)
                    (step.apply if move.doing == "up" else step.rollback)(backend)
            backend.mark(migration, applied=move.doing == "up")
        (book.applied if move.doing == "up" else book.gone)(move.number)

    def _adopt(self, book: Book, version: int) -> None:
        """At 3 the original has dropped Spinmint, which our 3 makes again: so that one is run, not marked."""
        self.tell(f"the original's version {version} is adopted")
        if not self.dry_run:
            self._mark(book, min(version, ADOPTED))

    def _mark(self, book: Book, number: int) -> None:
        """What is noted already stays as it was noted: when, and by which run."""
        clean = book.clean()
        with yoyo_backend.opened(self.database) as backend:
            for each, migration in self._migrations().items():
                backend.mark(migration, applied=each <= number)
                if each > number:
                    book.gone(each)
                elif each not in clean:
                    book.applied(each)
        book.tell_operators()

    def _migrations(self) -> dict[int, Migration]:
        found = {int(migration.id[:4]): migration for migration in read_migrations(str(self.folder))}
        for migration in found.values():
            migration.load()
        return dict(sorted(found.items()))

    def _check_number(self, book: Book, number: int) -> None:
        if not 0 <= number <= max(book.files):
            raise Mistake(f"there is no schema version {number}: give one from 0 to {max(book.files)}")

    @contextmanager
    def _looking(self) -> Iterator[Book]:
        with _translated(), _connected(self.database) as connection:
            yield Book(connection, schema.files(self.folder), self.run_url)

    @contextmanager
    def _locked(self) -> Iterator[tuple[Book, Lease]]:
        """One migrator at a time, told apart by a lease that is renewed from a connection and a thread of its own."""
        if self.dry_run:
            with self._looking() as book:
                yield book, None  # type: ignore[misc]  # nothing is carried out, so nothing asks it
            return
        with self._looking() as book:
            book.prepare_lock()
            store = MySQLStore(self.database, self.clock)
            owner = f"{self.run_url or 'a migrator'} ({uuid.uuid4().hex[:8]})"
            lease = acquire(store, self.clock, LOCK, owner, patience=LOCK_WAIT, tell=self.tell)
            try:
                with _kept_alive(self.database, self.clock, lease):
                    _wait_for_stragglers(self.database, self.clock)
                    book.prepare()
                    yield book, lease
            finally:
                lease.give_back()
                store.close()


@contextmanager
def _kept_alive(database: Database, clock: Clock, lease: Lease) -> Iterator[None]:
    """Renew while a long statement runs. When that fails for good, the next `lease.check` says so."""
    stop = threading.Event()

    def renew() -> None:
        store = MySQLStore(database, clock)
        while not stop.wait(TTL / 3):
            try:
                store.renew_lease(lease.name, lease.owner, lease.fence, lease.ttl)
            except (Down, Mistake):
                store.close()  # connects anew the next time
        store.close()

    thread = threading.Thread(target=renew, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _wait_for_stragglers(database: Database, clock: Clock) -> None:
    """A killed migrator's statement goes on without it; its end is waited for before anything else is changed."""
    patience = float(DDL_WAIT)
    while found := _straggler(database):
        if patience <= 0:
            raise Down(f"the server is still busy with an earlier migration ({found}); run again when it is done")
        clock.sleep(1)
        patience -= 1


def _straggler(database: Database) -> str:
    with _connected(database) as connection, connection.cursor() as cursor:
        cursor.execute("SHOW FULL PROCESSLIST")
        running = [(row[3], str(row[7] or "")) for row in cursor.fetchall()]
    return next((text[:80] for name, text in running if name == database.name and text.startswith(CHANGING)), "")


@contextmanager
def _connected(database: Database) -> Iterator[Connection]:
    connection = connect(database)
    try:
        yield connection
    finally:
        connection.close()


@contextmanager
def _translated() -> Iterator[None]:
    """An operator needs the server's own words, unless it is the connection that failed."""
    try:
        yield
    except pymysql.MySQLError as error:
        number, *words = error.args or (0,)
        if number in OF_SERVER and number not in (*ACCESS, *PASSING):
            raise Mistake(f"the database refused a migration ({number}): {' '.join(map(str, words))}") from error
        raise_for(error)
