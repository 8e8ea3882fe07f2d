"""The book behind the pages, as `onecard verify` recomputes it from the files alone while the server runs."""

import re
import subprocess
import time
from contextlib import contextmanager

ROWS = re.compile(r"^journal rows\s+(\d+)$", re.MULTILINE)
COUNTS = re.compile(r"^rows\s+(\d+) (\w+)$", re.MULTILINE)
SUMS = re.compile(r"^sum of (\d)xxx\s+(-?[\d.]+)", re.MULTILINE)
# Rows that are written when money moves or is about to: orders, payments, releases to a card, what the card took, sales,
# refunds, cases; and what becomes of cards.
KINDS = ("top_up_order", "payment", "attempt", "applied", "sale", "refund", "open_case", "card_change")
# What a terminal did off the net comes up a moment later.
PATIENCE_SECONDS = 20

# How much each thing that people do adds to the book. `journal`: rows of the journal; `holders`, `merchants`, `channel`: fen.
CARD_LOST = {"card_change": 1}
ORDERED = {"top_up_order": 1}
LOADED = {"journal": 2, "attempt": 1, "applied": 1}
# A sale that a card turned out not to have paid.
NOT_TAKEN = {"sale": 1}
# Released to a card that proves later that it did not take it.
GIVEN_UP = {"journal": 2, "attempt": 1}


def paid(fen):
    """A payment arrived and waits for the card, or is in the account."""
    return {"journal": 1, "payment": 1, "holders": fen, "channel": -fen}


def sold(fen):
    """A merchant's sale, from the purse or from the account."""
    return {"journal": 1, "sale": 1, "holders": -fen, "merchants": fen}


def returned(fen):
    """Taken from its owner for a refund, and then at the payer."""
    return {"journal": 2, "refund": 1, "holders": -fen, "channel": fen}


def paid_again():
    """A second payment of one order, which goes back: set aside in a case, taken from there for the refund, then at the payer."""
    return {"journal": 3, "payment": 1, "refund": 1, "open_case": 1}


def together(*deeds):
    """What several of these add."""
    whole = {}
    for deed in deeds:
        for what, by in deed.items():
            whole[what] = whole.get(what, 0) + by
    return whole


def topped_up(fen):
    """Ordered and paid."""
    return together(ORDERED, paid(fen))


class Book:
    """One look at it."""

    def __init__(self, binary, folder):
        done = subprocess.run([binary, "verify", "--data", folder], capture_output=True, text=True)
        self.said = done.stdout + done.stderr
        self.whole = done.returncode == 0 and "the book is whole" in self.said
        rows = ROWS.search(self.said)
        self.rows = int(rows.group(1)) if rows else -1
        self.count = {name: int(count) for count, name in COUNTS.findall(self.said)}
        self.sums = {thousand: int(sum.replace(".", "")) for thousand, sum in SUMS.findall(self.said)}

    def since(self, before):
        """What came since an earlier look; what did not change is left out."""
        grown = {"journal": self.rows - before.rows}
        grown |= {kind: self.count.get(kind, 0) - before.count.get(kind, 0) for kind in KINDS}
        for place, thousand in (("channel", "1"), ("holders", "2"), ("merchants", "3")):
            grown[place] = self.sums.get(thousand, 0) - before.sums.get(thousand, 0)
        return {what: by for what, by in grown.items() if by}


def moved(deeds):
    """The sum of deeds without what cancels out."""
    return {what: by for what, by in together(*deeds).items() if by}


# Made and left alone in places where nobody counts them: no money moves by them.
STILL = ("top_up_order", "card_change")


def nothing_beside(story):
    """Since the story began nothing moved but what was told of it: nothing in between, and nothing after it was looked for."""
    grown, told = Book(story.demo.binary, story.demo.folder).since(story.began), moved(story.deeds)
    money = lambda rows: {what: by for what, by in rows.items() if what not in STILL}
    story.tally.same("the whole story: the rows of the book", money(grown), money(told))


@contextmanager
def ledger(story, name, *deeds):
    """What is done inside adds exactly these deeds to the book, which is whole before and after: no row more, no fen less. A deed
    that comes a moment later is waited for; one too many that comes later still is found by `nothing_beside`."""
    look = lambda: Book(story.demo.binary, story.demo.folder)
    before, wanted = look(), moved(deeds)
    yield
    after, end = look(), time.monotonic() + PATIENCE_SECONDS
    while after.whole and after.since(before) != wanted and time.monotonic() < end:
        after = look()
    story.deeds += deeds
    story.tally.check(f"{name}: the book is whole", before.whole and after.whole, before.said + after.said)
    story.tally.same(f"{name}: the rows of the book", after.since(before), wanted)
