"""People reach what they came for, in a real browser, against the demo with nothing replaced.

    python3 tests/browser/story.py --binary target/release/onecard --axe node_modules/axe-core/axe.min.js [--shots DIR]

`--chapter NAME` tells one chapter alone, `--no-looks` leaves out the looks at every page from all sides: seconds instead of
minutes. Prints each chapter with its time, what did not hold and, alone on the last line, `N passed, M failed`. Needs
Playwright for Python, zxing-cpp and Pillow to read codes, a Chromium of the system and fonts for Chinese; no browser is
downloaded.
"""

import argparse
import pathlib
import sys
import tempfile
import time
import traceback
from urllib.parse import urlsplit

from playwright.sync_api import expect, sync_playwright

from book import GIVEN_UP, LOADED, ORDERED, Book, ledger, nothing_beside, sold, topped_up
from breakage import damaged_book, killed, torn_purchase
from checks import BROWSER_ARGUMENTS, Looker
from demo import Demo
from keyboard import by_keyboard
from loss import card_lost
from lost_answers import lost_answers
from noscript import without_script
from outages import outages, restored
from pages import new_to_everything, nothing_left_out, with_a_past
from payments import by_address, by_code, inside_wechat, late, late_begun, paid_twice, refunded_by_hand
from people import PASSWORD, Holder, Till, arrive
from printing import printed
from states import by_menu, faces, off_line, session_over, with_large_text
from till import at_the_till
from twice import twice

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1]))
from tally import Tally

KEPT = pathlib.Path(__file__).resolve().parents[2] / "target/browser/failed"
# A top-up without a notice is asked for after 5, 30 and 60 s.
BY_QUERY_MILLISECONDS = 75_000
# So long can an order be paid, the least that the rules allow: one expires while the story goes on.
PAY_WITHIN_SECONDS = 360
# One person orders for many here.
ORDERS_A_MINUTE = 1000
# Where the card goes away in mid-load, and what the book has in the end: a load that it did not take is given up and
# released once more; one whose answer was lost or cut is found out to be taken.
BOUNDARIES = {"credit-before": (GIVEN_UP, LOADED), "credit-applied": (LOADED,), "credit-cut": (LOADED,)}


class Story:
    """Everything that happens, one chapter after the other."""

    def __init__(self, playwright, browser, demo, tally, axe, shots, kept):
        self.playwright = playwright
        self.demo = demo
        self.tally = tally
        self.looker = Looker(browser, tally, axe, shots, kept, demo.base)
        # The book as it was when the story began, and what was done to it since.
        self.began, self.deeds = Book(demo.binary, demo.folder), []
        # Whether pages are looked at from all sides; else there are only journeys.
        self.looks = True
        # The order that is going to be paid late: whose, its number, when its time is over.
        self.expiring = None

    def look(self, name, address, state=None, **more):
        """See `Looker.look`."""
        if self.looks:
            self.looker.look(name, address, state, **more)

    def tell(self, chapters):
        for name, chapter in chapters:
            began = time.monotonic()
            try:
                chapter(self)
                self.tally.check(name, True)
            except Exception:
                self.tally.check(name, False, traceback.format_exc())
                for number, context in enumerate(list(self.looker.browser.contexts)):
                    for page in context.pages:
                        self.looker.keep(page, f"{name.replace(' ', '-')}-{number}")
                    context.close()
            print(f"-- {name} ({time.monotonic() - began:.0f} s)", flush=True)

    def places(self, holder):
        """Where every fen of the holder is."""
        me = holder.api("/me")
        return {
            "available": me["available_fen"],
            "waiting": me["waiting"]["amount_fen"],
            "in_transit": me["in_transit"]["amount_fen"],
            "on_card": me["on_card_fen"],
            "total": me["total_fen"],
        }

    def balance(self, holder, name, expected):
        found = self.places(holder)
        self.tally.check(name, all(found[place] == fen for place, fen in expected.items()), found)


def first_visit(story):
    """The start page leads to the portal; the first password opens its own change alone."""
    demo, look = story.demo, story.look
    look("start", demo.base + "/demo")
    look("sign-in", demo.base + "/sign-in")
    holder = Holder(story, 0, "zh-CN")
    page = holder.page
    holder.go("/demo")
    page.click("[data-testid=link-phone]")
    arrive(page, "/sign-in")
    holder.sign_in("wrong-7531")
    expect(page.locator("[role=alert]")).to_be_focused()
    story.tally.check("a wrong password: the number stays", page.input_value("#number") == holder.who["number"])
    story.tally.check("a wrong password: the password goes", page.input_value("#password") == "")
    holder.sign_in(holder.who["initial_password"])
    arrive(page, "/password")
    look("password-first", demo.base + "/password", holder.state())
    holder.go("/me")
    story.tally.check("the first password opens nothing else", urlsplit(page.url).path == "/password", page.url)
    page.fill("#old", holder.who["initial_password"])
    page.fill("#new", holder.who["number"])
    page.fill("#again", holder.who["number"])
    page.click("main button.primary")
    expect(page.locator("#new-error")).to_be_visible()
    holder.change_password()
    new_to_everything(story, holder)
    page.click("button[name=theme]")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    story.tally.check("a chosen look is kept", dark == "rgb(17, 17, 17)", dark)
    holder.finish("first visit")


def amounts(story):
    """Garbage comes back with the reason at its field; a double click is one order."""
    holder = Holder(story, 0, "zh-CN")
    page = holder.page
    holder.go("/me/topup")
    holder.sign_in(PASSWORD)
    arrive(page, "/me/topup")
    for garbage in ["", "0", "-1", "1e3", "1.001", "abc", "1000.01", "99999999999999999999"]:
        page.fill("#amount", garbage)
        page.click("main button.primary")
        expect(page.locator("#amount-error")).to_be_visible()
        expect(page.locator("[role=alert]")).to_be_focused()
        story.tally.check(f"amount {garbage!r} is written back", page.input_value("#amount") == garbage)
    page.fill("#amount", "33.00")
    page.check("input[name=preset][value='100']")
    story.tally.check("a chosen amount replaces a typed one", page.input_value("#amount") == "")
    page.fill("#amount", "１２．５０")
    story.tally.check("a typed amount replaces a chosen one", page.locator("input[name=preset]:checked").count() == 0)
    with ledger(story, "amounts", ORDERED):
        page.dblclick("main button.primary", no_wait_after=True)
        arrive(page, "/pay/*")
    orders = holder.api("/me")["open_orders"]
    story.tally.check("a double click is one order", [each["amount_fen"] for each in orders] == [1250], orders)
    holder.go("/me")
    expect(page.locator("main")).to_contain_text("¥12.50")
    holder.finish("amounts")


def paid_and_tapped(story):
    """Top up, pay, hold the card: it loads and buys in one hold, and everyone tells the same."""
    demo, look = story.demo, story.look
    holder, till = Holder(story, 0, "zh-CN"), Till(story, "zh-CN")
    page = holder.page
    holder.go("/sign-in")
    holder.sign_in(PASSWORD)
    arrive(page, "/me")
    with ledger(story, "paid and tapped", topped_up(5000), LOADED, sold(1200)):
        number = holder.order()
        look("pay", page.url, holder.state())
        cashier = page.get_attribute("[data-testid=cashier]", "href")
        # A phone's browser is sent on to it.
        look("cashier", cashier, holder.state(), lands=urlsplit(page.request.get(cashier).url).path)
        tracker = f"{demo.base}/me/orders/{number}"
        look("order-unpaid", tracker, holder.state())
        holder.pay()
        holder.sees("waiting")
        look("order-waiting", tracker, holder.state())
        look("home-waiting", demo.base + "/me", holder.state())
        story.balance(holder, "paid money waits for the card", {"waiting": 5000, "on_card": 0, "total": 5000})
        look("pos", demo.base + demo.pos)
        till.sale("12.00")
        till.hold(0)
        till.lamp("green")
        till.shows("38.00")
        story.looker.shot(till.page, "pos paid")
        holder.sees("on_card")
        till.pull()
        steps = page.locator(".steps li.done").count()
        story.tally.check("the tracker shows all four steps with their times", steps == 4, steps)
        look("order-on-card", tracker, holder.state())
    records(story, holder)
    story.balance(holder, "the card holds the rest", {"waiting": 0, "on_card": 3800, "total": 3800})
    look("home", demo.base + "/me", holder.state())
    till.context.close()
    holder.finish("paid and tapped")


def records(story, holder):
    """The list has both, newest first, with sign and word; each has a page of its own."""
    page = holder.page
    holder.go("/me/records")
    lines = page.locator("main .rows > li")
    expect(lines).to_have_count(2)
    expect(lines.nth(0)).to_contain_text("\u2212¥12.00")
    expect(lines.nth(0)).to_contain_text(holder.words["out"])
    expect(lines.nth(1)).to_contain_text("+¥50.00")
    expect(lines.nth(1)).to_contain_text(holder.words["in"])
    story.look("records", page.url, holder.state())
    page.click("main .rows > li:nth-child(1) a")
    expect(page.locator(".figure")).to_have_text("\u2212¥12.00")
    story.look("record-purchase", page.url, holder.state())
    holder.go("/me/records")
    page.click("main .rows > li:nth-child(2) a")
    expect(page.locator(".figure")).to_have_text("+¥50.00")
    story.look("record-top-up", page.url, holder.state())


def pulled_away(story):
    """The card goes away in mid-load, at three boundaries; it is loaded once each time."""
    holder, till = Holder(story, 1, "en"), Till(story, "en")
    holder.first_sign_in(clicks=2)
    total = 0
    for pull_at, loads in BOUNDARIES.items():
        with ledger(story, f"pulled away, {pull_at}", topped_up(5000), *loads):
            number = holder.order()
            holder.pay()
            holder.sees("waiting")
            till.hold(1, pull_at)
            holder.sees("way")
            if pull_at == "credit-applied":
                story.look("order-on-its-way", f"{story.demo.base}/me/orders/{number}", holder.state())
                story.look("home-on-its-way", story.demo.base + "/me", holder.state())
            story.balance(holder, f"{pull_at}: the money is in one place", {"in_transit": 5000, "total": total + 5000})
            till.hold(1)
            holder.sees("on_card")
            total += 5000
            # The card stays where it is: the hand lifts it before the next hold, which is a new one.
            till.lamp("green")
        story.balance(holder, f"{pull_at}: loaded once", {"in_transit": 0, "on_card": total, "total": total})
    till.pull()
    till.context.close()
    holder.finish("pulled away")


def notices_lost(story):
    """No notice arrives: the platform asks by itself, on its schedule, and credits."""
    story.demo.control("/control/notice", {"mode": "lost"})
    try:
        holder, till = Holder(story, 2, "zh-CN"), Till(story, "zh-CN")
        holder.enter()
        with ledger(story, "notices lost", topped_up(5000), LOADED):
            number = holder.order()
            holder.pay()
            holder.sees("waiting", BY_QUERY_MILLISECONDS)
            order = holder.api(f"/me/orders/{number}")
            story.tally.check("credited without a notice", order["place"] == "waiting_for_card", order)
            till.hold(2)
            holder.sees("on_card")
            till.pull()
        story.balance(holder, "the card holds it", {"on_card": 5000, "total": 5000})
        with ledger(story, "asked at once", topped_up(5000)):
            asked_at_once(story, holder)
        till.context.close()
        holder.finish("notices lost")
    finally:
        story.demo.control("/control/notice", {"mode": "normal"})


def asked_at_once(story, holder):
    """Whoever says "I have paid" need not wait for the schedule."""
    holder.order()
    holder.page.click("[data-testid=cashier]")
    holder.page.click("button[value=pay]")
    arrive(holder.page, "/me/orders/*")
    if holder.page.locator("main form[action^='/me/orders/'] button").count():
        holder.page.click("main form[action^='/me/orders/'] button")
    holder.sees("waiting", 5_000)


def breakage(story):
    """A purchase torn in the middle, and a process that is killed between payment and tap."""
    holder, till = Holder(story, 2, "zh-CN"), Till(story, "zh-CN")
    holder.enter()
    with ledger(story, "breakage: before it", topped_up(5000), LOADED):
        holder.order()
        holder.pay()
        holder.sees("waiting")
        till.hold(2)
        holder.sees("on_card")
        till.pull()
    torn_purchase(story, holder, till, 2)
    killed(story, holder, till, 2)
    till.context.close()
    holder.finish("breakage")


CHAPTERS = [
    # The order that is paid late is over when everything else has been told.
    ("late begun", late_begun),
    ("first visit", first_visit),
    ("amounts", amounts),
    ("paid and tapped", paid_and_tapped),
    ("pulled away", pulled_away),
    ("at the till", at_the_till),
    ("notices lost", notices_lost),
    ("every page", with_a_past),
    ("printed", printed),
    ("faces", faces),
    ("outages", outages),
    ("off line", off_line),
    ("session over", session_over),
    ("without script", without_script),
    ("inside wechat", inside_wechat),
    ("by menu", by_menu),
    ("large text", with_large_text),
    ("twice", twice),
    ("lost answers", lost_answers),
    ("by address", by_address),
    ("by code", by_code),
    ("paid twice", paid_twice),
    ("by keyboard", by_keyboard),
    ("breakage", breakage),
    ("late", late),
    ("refunded by hand", refunded_by_hand),
    ("card lost", card_lost),
    ("nothing beside", nothing_beside),
    ("restored", restored),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", required=True, help="the onecard program")
    parser.add_argument("--axe", required=True, help="axe.min.js of axe-core")
    parser.add_argument("--shots", help="folder for pictures of every page")
    parser.add_argument("--kept", default=KEPT, help="folder for what went wrong: pictures, pages, the server's log")
    parser.add_argument("--chromium", default="/usr/bin/chromium", help="the browser")
    parser.add_argument("--no-looks", action="store_true", help="journeys alone, without every page from all sides: quick")
    parser.add_argument("--chapter", action="append", choices=[name for name, _ in CHAPTERS], help="only this one")
    options = parser.parse_args()

    tally = Tally()
    chapters = [each for each in CHAPTERS if not options.chapter or each[0] in options.chapter]
    with tempfile.TemporaryDirectory(prefix="onecard-story-") as folder:
        demo = Demo(options.binary, folder, people=30)
        try:
            demo.set(order__pay_within=PAY_WITHIN_SECONDS, order__per_minute=ORDERS_A_MINUTE)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=options.chromium, args=BROWSER_ARGUMENTS)
                story = Story(playwright, browser, demo, tally, options.axe, options.shots, options.kept)
                story.looks = not options.no_looks
                story.tell(chapters)
                nothing_left_out(story, whole=not options.chapter and story.looks)
                browser.close()
        finally:
            stopped = demo.stop()
        tally.check("the demo stops when asked", stopped == 0, stopped)
        code, said = demo.verify()
        tally.check("the book it leaves behind adds up", code == 0, said)
        damaged_book(tally, options.binary, folder)
        if tally.failed:
            print("\n".join(["-- the demo said:", *demo.log]))
            kept = pathlib.Path(options.kept)
            kept.mkdir(parents=True, exist_ok=True)
            (kept / "server.log").write_text("\n".join(demo.log), encoding="utf-8")
            print(f"-- pictures and pages of what went wrong are in {kept}")
    print(f"{tally.passed} passed, {tally.failed} failed")
    return 1 if tally.failed or not tally.passed else 0


if __name__ == "__main__":
    sys.exit(main())
