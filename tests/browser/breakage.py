"""What breaks on purpose: a purchase torn in the middle, a killed process, a book that somebody changed."""

import shutil
import signal
import sqlite3
import subprocess
import tempfile
from pathlib import Path

BOOK_FILES = ("book.sqlite", "book.sqlite-wal")
UNRESOLVED = "同一张卡"
DAMAGES = (
    ("a changed amount", "UPDATE journal SET amount = amount + 1 WHERE seq = 2"),
    ("a deleted row", "DELETE FROM journal WHERE seq = 2"),
    ("a deleted last row", "DELETE FROM journal WHERE seq = (SELECT max(seq) FROM journal)"),
    ("a changed balance", "UPDATE account SET credits_posted = credits_posted + 100"),
    ("a deleted order", "DELETE FROM row_top_up_order"),
    ("a changed block", "UPDATE block SET at = at + 1 WHERE no = 3"),
)


def torn_purchase(story, holder, till, card):
    """M17, R32: the card leaves while it is debited; the same card settles it, and lunch is paid once."""
    on_card = story.places(holder)["on_card"]
    for pull_at in ("debit-before", "debit-applied"):
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


def damaged_book(tally, binary, folder):
    """Every damage to a copy of the book is found by `onecard verify`."""
    for what, change in DAMAGES:
        with tempfile.TemporaryDirectory() as copy:
            for name in BOOK_FILES:
                if (Path(folder) / name).exists():
                    shutil.copy(Path(folder) / name, copy)
            book = sqlite3.connect(f"{copy}/book.sqlite")
            for (guard,) in book.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
                book.execute(f"DROP TRIGGER {guard}")
            changed = book.execute(change).rowcount
            book.commit()
            book.close()
            done = subprocess.run([binary, "verify", "--data", copy], capture_output=True, text=True)
            tally.check(f"verify finds {what}", changed > 0 and done.returncode == 1, done.stdout + done.stderr)
