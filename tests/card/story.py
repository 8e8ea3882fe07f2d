"""From the payment to the canteen, with a real terminal at a real reader, and a card that is pulled away at every bad moment."""

import signal
import subprocess

from school import Till, held, put, restart_service, take


class Story:
    """One holder with a card and two tills."""

    def __init__(self, tally, school, card, tills, holder):
        self.tally, self.school, self.card, self.holder = tally, school, card, holder
        self.tills = tills
        self.purse = 0

    def lay(self, at, *more):
        """Lays the card on the reader of a till."""
        return put(self.school, self.tills[at][1], self.card, *more)

    def taken(self, what, card):
        self.tally.same(f"{what}: the card holds", take(card), self.purse)

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
        self.taken("a calm load", card)
        self.settled("a calm load")

    def torn_loads(self):
        for when, at_first in [("credit-undone", 0), ("credit-done", 2000)]:
            for first, second in [(0, 0), (0, 1), (1, 0)]:
                what = f"a load torn {when} at till {first}, held again at {second}"
                self.holder.top_up(2000)
                torn = self.lay(first, "--leaves", when)
                self.tills[first][0].wait_for("removed too early", "Hold it again")
                self.tally.same(f"{what}: the card ends by itself", torn.ends(), 0)
                self.tally.same(f"{what}: the torn card holds", held(torn), self.purse + at_first)
                self.tally.same(f"{what}: on its way", self.holder.money()["in_transit"]["amount_fen"], 2000)
                self.purse += 2000
                card = self.lay(second)
                total = f"Card {self.purse // 100}.{self.purse % 100:02}"
                self.tills[second][0].wait_for(total)
                self.taken(what, card)
                self.settled(what)

    def sale(self, at, fen):
        self.tills[at][0].type(f"{fen // 100}.{fen % 100:02}")
        self.tills[at][0].wait_for("To pay", "Hold your card")

    def sales(self):
        self.sale(0, 1250)
        card = self.lay(0)
        self.purse -= 1250
        self.tills[0][0].wait_for("Paid 12.50", f"Card {self.purse // 100}.{self.purse % 100:02}")
        self.taken("a calm sale", card)
        self.settled("a calm sale")

    def torn_sales(self):
        for when, at_first in [("debit-undone", 0), ("debit-done", 330)]:
            what = f"a sale torn {when}"
            self.sale(0, 330)
            torn = self.lay(0, "--leaves", when)
            self.tills[0][0].wait_for("Not yet sure whether 3.30 was taken", "Hold the same card again")
            self.tally.same(f"{what}: the card ends by itself", torn.ends(), 0)
            self.tally.same(f"{what}: the torn card holds", held(torn), self.purse - at_first)
            card = self.lay(0)
            self.paid_or_asked_again(card)
            self.purse -= 330
            self.taken(what, card)
            self.settled(what)

    def paid_or_asked_again(self, card):
        """The same hold ends the sale."""
        self.tills[0][0].wait_for("Paid 3.30")

    def killed_card(self):
        """A card that vanishes without a word, and comes back."""
        self.holder.top_up(700)
        self.purse += 700
        card = self.lay(1)
        self.tills[1][0].wait_for("Loaded 7.00")
        card.stop(signal.SIGKILL)
        self.sale(1, 100)
        card = self.lay(1)
        self.purse -= 100
        self.tills[1][0].wait_for("Paid 1.00")
        self.taken("after a card was killed", card)
        self.settled("after a card was killed")

    def service_restarted(self):
        """The service of the readers is started anew; the tills go on by themselves."""
        card = self.lay(0)
        restart_service()
        self.tally.same("a card whose reader is gone says so", card.ends(), 1)
        card.wait_for("is gone: start pcscd again")
        for at in (0, 1):
            self.sale(at, 200)
            card = self.lay(at)
            self.purse -= 200
            self.tills[at][0].wait_for("Paid 2.00")
            self.taken(f"till {at} after the service was restarted", card)
        self.settled("after the service was restarted")

    def wrong_reader(self, identity):
        words = ["terminal", "pos", "--server", "wss://127.0.0.1:8841/link/v1", "--identity", str(identity)]
        ran = subprocess.run(
            [self.school.binary, *words, "--reader", "pcsc:Nobody"], capture_output=True, text=True, stdin=subprocess.DEVNULL
        )
        self.tally.same("a reader that is not there: exit code", ran.returncode, 1)
        self.tally.check("a reader that is not there: the names of others", "Virtual PCD 0 00 00" in ran.stderr, ran.stderr)


def everything(tally, school, card, person, identities, readers):
    """`identities` and `readers` of two tills."""
    school.start()
    holder = school.sign_in(person)
    tills = []
    try:
        for identity, (name, port) in zip(identities, readers):
            tills.append((Till(school, identity, name), port))
        story = Story(tally, school, card, tills, holder)
        for chapter in [
            story.loads,
            story.torn_loads,
            story.sales,
            story.torn_sales,
            story.killed_card,
            story.service_restarted,
        ]:
            chapter()
            print(f"{chapter.__name__.replace('_', ' ')}: {tally.passed} checks held so far", flush=True)
        for till, _ in tills:
            till.type("quit")
            tally.same("a till ends well", till.ends(), 0)
        story.wrong_reader(identities[0])
    finally:
        for till, _ in tills:
            till.stop()
        ended = school.stop()
    tally.same("platform and sandbox end well", ended, (0, 0))
    said = school.office("verify")
    tally.check("the book is whole", "no difference" in said or said.strip() != "", said)
