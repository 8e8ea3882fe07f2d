"""What breaks on purpose: a purchase torn in the middle, a killed process, a book that somebody changed."""

import shutil
import signal
import sqlite3
import subprocess
import tempfile
from pathlib import Path

from book import LOADED, NOT_TAKEN, ledger, sold, topped_up

BOOK_FILES = ("book.sqlite", "book.sqlite-wal")
UNRESOLVED = "同一张卡"


def past_account(body, at):
    """Code, length of the owner, owner, part: where what follows them begins."""
    length, parted = body[at + 2] & 0x7F, body[at + 2] & 0x80
    at += 3 + length
    if parted:
        while body[at] & 0x80:
            at += 1
        at += 1
    return at


def changed_amount(book):
    """The amount stands behind kind, identifier and the two accounts; its second bit is one fen."""
    (body,) = book.execute("SELECT body FROM journal WHERE seq = 2").fetchone()
    body = bytearray(body)
    body[past_account(body, past_account(body, 17))] ^= 2
    return book.execute("UPDATE journal SET body = ? WHERE seq = 2", (bytes(body),)).rowcount


def changed_balance(book):
    """The sums of an account stand in front."""
    key, body = book.execute("SELECT key, body FROM account LIMIT 1").fetchone()
    body = bytes([body[0] ^ 2]) + body[1:]
    return book.execute("UPDATE account SET body = ? WHERE key = ?", (body, key)).rowcount


def by(statement):
    return lambda book: book.execute(statement).rowcount


DAMAGES = (
    ("a changed amount", changed_amount),
    ("a deleted row", by("DELETE FROM journal WHERE seq = 2")),
    ("a deleted last row", by("DELETE FROM journal WHERE seq = (SELECT max(seq) FROM journal)")),
    ("a changed balance", changed_balance),
    ("a deleted order", by("DELETE FROM row_top_up_order")),
    ("a changed block", by("UPDATE block SET at = at + 1 WHERE no = 3")),
)


def torn_purchase(story, holder, till, card):
    """M17, R32: the card leaves while it is debited; the same card settles it, and lunch is paid once."""
    on_card = story.places(holder)["on_card"]
    for pull_at, sales in (("debit-before", (NOT_TAKEN, sold(1200))), ("debit-applied", (sold(1200),))):
        with ledger(story, f"torn purchase, {pull_at}", *sales):
            till.sale("12.00")
            till.hold(card, pull_at)
            till.shows(UNRESOLVED)
            till.hold(card)
            till.lamp("green")
            till.shows("12.00")
            till.pull()
        on_card -= 1200
        story.balance(holder, f"{pull_at}: paid once", {"on_card": on_card, "total": on_card})


def killed(story, holder, till, card):
    """Paid, killed without warning, started again on the same folder: the money waits and is loaded once."""
    before = story.places(holder)
    with ledger(story, "killed", topped_up(5000), LOADED):
        holder.order()
        holder.pay()
        holder.sees("waiting")
        story.demo.restart(signal.SIGKILL)
        waiting = {"waiting": before["waiting"] + 5000, "total": before["total"] + 5000}
        story.balance(holder, "killed: still signed in, still there", waiting)
        till.page.reload()
        till.hold(card)
        till.lamp("green")
        till.pull()
    loaded = before["on_card"] + before["waiting"] + 5000
    story.balance(holder, "killed: loaded once", {"waiting": 0, "on_card": loaded})


def copied(folder, copy, change):
    """A copy of the book, changed behind its triggers' back; says how many rows were."""
    for name in BOOK_FILES:
        if (Path(folder) / name).exists():
            shutil.copy(Path(folder) / name, copy)
    book = sqlite3.connect(f"{copy}/book.sqlite")
    guards = book.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
    for name, _ in guards:
        book.execute(f"DROP TRIGGER {name}")
    changed = change(book)
    for _, statement in guards:
        book.execute(statement)
    book.commit()
    book.close()
    return changed


def damaged_book(tally, binary, folder):
    """Every damage to a copy of the book is found by `onecard verify`, and a copy without damage is whole."""
    for what, change, code in (*((*damage, 1) for damage in DAMAGES), ("nothing in an untouched copy", lambda _: 1, 0)):
        with tempfile.TemporaryDirectory() as copy:
            changed = copied(folder, copy, change)
            done = subprocess.run([binary, "verify", "--data", copy], capture_output=True, text=True)
            tally.check(f"verify finds {what}", changed > 0 and done.returncode == code, done.stdout + done.stderr)
