"""From the payment to the canteen, with a real terminal at a real reader, and a card that is pulled away at every bad moment."""

import signal
import subprocess

from school import Till, emptied, held, put, restart_service, take


class Story:
    """One holder with a card and two tills."""

    def __init__(self, tally, school, cards, tills, holder):
        self.tally, self.school, self.holder = tally, school, holder
        self.card, self.other = cards
        self.tills = tills
        self.purse = 0
        self.service = None

    def lay(self, at, *more):
        """Lays the card on the reader of a till."""
        return put(self.school, self.tills[at][1], self.card, *more)

    def taken(self, what, at, card):
        self.tally.same(f"{what}: the card holds", take(card, self.tills[at][2]), self.purse)

    def torn(self, what, at, card, holds):
        """The card has left by itself."""
        self.tally.same(f"{what}: the card ends by itself", card.ends(), 0)
        self.tally.same(f"{what}: the torn card holds", held(card), holds)
        emptied(self.tills[at][2])

    def settled(self, what):
        """What the platform knows is what the card holds."""
        money = self.holder.money()
        facts = (money["on_card_fen"], money["waiting"]["amount_fen"], money["in_transit"]["amount_fen"])
        self.tally.same(f"{what}: on the card, waiting, on its way", facts, (self.purse, 0, 0))

    def loads(self):
        till = self.tills[0][0]
        self.holder.top_up(5000)
        self.purse = 5000
        card = self.lay(0)
        till.wait_for("Loaded 50.00", "Card 50.00")
        self.taken("a calm load", 0, card)
        self.settled("a calm load")

    def torn_loads(self):
        for when, at_first in [("credit-undone", 0), ("credit-done", 2000)]:
            for first, second in [(0, 0), (0, 1), (1, 0)]:
                what = f"a load torn {when} at till {first}, held again at {second}"
                self.holder.top_up(2000)
                torn = self.lay(first, "--leaves", when)
                self.tills[first][0].wait_for("removed too early", "Hold it again")
                self.torn(what, first, torn, self.purse + at_first)
                self.tally.same(f"{what}: on its way", self.holder.money()["in_transit"]["amount_fen"], 2000)
                self.purse += 2000
                card = self.lay(second)
                total = f"Card {self.purse // 100}.{self.purse % 100:02}"
                self.tills[second][0].wait_for(total)
                self.taken(what, second, card)
                self.settled(what)

    def sale(self, at, fen):
        self.tills[at][0].type(f"{fen // 100}.{fen % 100:02}")
        self.tills[at][0].wait_for("To pay", "Hold your card")

    def sales(self):
        self.sale(0, 1250)
        card = self.lay(0)
        self.purse -= 1250
        self.tills[0][0].wait_for("Paid 12.50", f"Card {self.purse // 100}.{self.purse % 100:02}")
        self.taken("a calm sale", 0, card)
        self.settled("a calm sale")

    def torn_sales(self):
        for when, fen, at_first in [("debit-undone", 330, 0), ("debit-done", 440, 440)]:
            what, amount = f"a sale torn {when}", f"{fen // 100}.{fen % 100:02}"
            self.sale(0, fen)
            torn = self.lay(0, "--leaves", when)
            self.tills[0][0].wait_for(f"Not yet sure whether {amount} was taken", "Hold the same card again")
            self.torn(what, 0, torn, self.purse - at_first)
            card = self.lay(0)
            self.tills[0][0].wait_for(f"Paid {amount}")
            self.purse -= fen
            self.taken(what, 0, card)
            self.settled(what)

    def another_card(self):
        """While it is not known whether a card paid, another one is sent away, unread."""
        self.sale(0, 550)
        torn = self.lay(0, "--leaves", "debit-undone")
        self.tills[0][0].wait_for("Not yet sure whether 5.50 was taken")
        self.torn("a sale with another card in between", 0, torn, self.purse)
        before = self.other.read_bytes()
        stranger = put(self.school, self.tills[0][1], self.other)
        self.tills[0][0].wait_for("This is another card")
        take(stranger, self.tills[0][2])
        self.tally.same("the other card is as it was", self.other.read_bytes(), before)
        card = self.lay(0)
        self.tills[0][0].wait_for("Paid 5.50")
        self.purse -= 550
        self.taken("a sale with another card in between", 0, card)
        self.settled("a sale with another card in between")

    def killed_card(self):
        """A card that vanishes without a word, and comes back."""
        self.holder.top_up(700)
        self.purse += 700
        card = self.lay(1)
        self.tills[1][0].wait_for("Loaded 7.00")
        card.stop(signal.SIGKILL)
        emptied(self.tills[1][2])
        self.sale(1, 100)
        card = self.lay(1)
        self.purse -= 100
        self.tills[1][0].wait_for("Paid 1.00")
        self.taken("after a card was killed", 1, card)
        self.settled("after a card was killed")

    def service_restarted(self):
        """The service of the readers is started anew; the tills go on by themselves."""
        card = self.lay(0)
        self.service = restart_service()
        self.tally.same("a card whose reader is gone says so", card.ends(), 1)
        card.wait_for("is gone: start pcscd again")
        for at in (0, 1):
            self.sale(at, 200)
            card = self.lay(at)
            self.purse -= 200
            self.tills[at][0].wait_for("Paid 2.00")
            self.taken(f"till {at} after the service was restarted", at, card)
        self.settled("after the service was restarted")

    def wrong_reader(self, identity):
        words = ["terminal", "pos", "--server", "wss://127.0.0.1:8841/link/v1", "--identity", str(identity)]
        ran = subprocess.run(
            [self.school.binary, *words, "--reader", "pcsc:Nobody"], capture_output=True, text=True, stdin=subprocess.DEVNULL
        )
        self.tally.same("a reader that is not there: exit code", ran.returncode, 1)
        self.tally.check("a reader that is not there: the names of others", "Virtual PCD 0 00 00" in ran.stderr, ran.stderr)


def everything(tally, school, card, other, person, identities, readers):
    """A holder's card and a stranger's; `identities` and `readers` of two tills."""
    school.start()
    holder = school.sign_in(person)
    tills, story = [], None
    try:
        for identity, (name, port) in zip(identities, readers):
            tills.append((Till(school, identity, name), port, name))
        story = Story(tally, school, (card, other), tills, holder)
        for chapter in [
            story.loads,
            story.torn_loads,
            story.sales,
            story.torn_sales,
            story.another_card,
            story.killed_card,
            story.service_restarted,
        ]:
            chapter()
            print(f"{chapter.__name__.replace('_', ' ')}: {tally.passed} checks held so far", flush=True)
        for till, _, _ in tills:
            till.type("quit")
            tally.same("a till ends well", till.ends(), 0)
        story.wrong_reader(identities[0])
    finally:
        if story and story.service:
            story.service.terminate()
            story.service.wait()
        for till, _, _ in tills:
            till.stop()
        ended = school.stop()
    tally.same("platform and sandbox end well", ended, (0, 0))
    said = school.office("verify")
    tally.check("the book is whole", "the book is whole" in said, said)
