"""Every page that can be opened, and the states in which the story looks at it. A new page is one line here: one that stands in
the router and not here fails."""

import re
from pathlib import Path

from people import SETTLED, Holder

ROUTER = Path(__file__).resolve().parents[2] / "crates/web/src/router.rs"
# `.route("/me", get(home::page))`, over several lines too.
ROUTE = re.compile(r'\.route\(\s*"([^"]+)",\s*get\(')

# Pages that anybody, or anybody signed in, can open by their address alone: looked at as somebody with a past, and as somebody
# who is new. Address, name.
OPEN = {
    "/me": "home",
    "/me/topup": "top-up",
    "/me/records": "records",
    "/password": "password",
    "/prove": "prove",
    "/me/card": "card",
    "/me/card/loss": "card-loss",
    "/me/security": "security",
    "/me/security/tokens": "tokens",
    "/me/security/wechat": "binding",
    "/me/messages": "messages",
    "/me/statements": "statements",
    "/me/spending": "spending",
    "/help": "guide",
    "/help/all": "guide-whole",
}
# Those that are another page while there is nothing to show.
EMPTY_TOO = {"/me", "/me/topup", "/me/records", "/me/security/tokens", "/me/messages", "/me/statements", "/me/spending"}
# Pages that another one lists: address in the router, the page with the list, what one presses there, name.
LISTED = {
    "/me/statements/{month}": ("/me/statements", "main a[href^='/me/statements/']", "statement"),
    "/help/{topic}": ("/help", "main li a[href^='/help/']", "guide-chapter"),
}
# Pages that other chapters come to: address in the router, names of the looks that must have been taken.
TOLD = {
    "/sign-in": ("sign-in", "sign-in-refused", "sign-in-over"),
    "/password": ("password-first",),
    "/me": ("home-waiting", "home-on-its-way", "home", "home-paid-twice", "home-refunding", "home-lost"),
    "/me/topup": ("top-up-refused", "top-up-lost", "top-up-after-restore"),
    "/me/card": ("card-lost",),
    "/me/records": ("records", "records-with-refund"),
    "/me/records/{number}": ("record-purchase", "record-top-up", "record-refund", "record-paid-twice"),
    "/me/orders/{order}": (
        "order-unpaid", "order-waiting", "order-on-its-way", "order-on-card", "order-expired", "order-late",
        "order-paid-twice", "order-paid-twice-ended", "order-refunding", "order-refunded", "order-kept",
    ),
    "/pay/{order}": ("pay", "pay-by-code", "pay-inside-wechat", "pay-later"),
}
# Addresses that answer a browser with no page of their own.
NO_PAGE = {
    "/": "goes on to the first page or to the door",
    "/continue": "goes on by itself; without script a link leads on",
    "/me/orders/{order}/status": "a part of the tracker",
    "/wechat/return": "goes on to where the visit to WeChat began",
    "/assets/{file}": "style sheet, script, icon",
    "/healthz": "for machines",
    "/help/guide.pdf": "a document",
    "/me/records.csv": "a document",
    "/wechat/enter": "goes on to WeChat, or to the door",
}
PROGRAMS = ("/api/", "/notify/", "/hooks/")


def routes():
    """Addresses of the router that a browser may ask for."""
    found = ROUTE.findall(ROUTER.read_text(encoding="utf-8"))
    return {address for address in found if not address.startswith(PROGRAMS)}


def with_a_past(story):
    """Somebody with weeks of purchases behind them: whatever has an address of its own, with much to show."""
    holder = Holder(story, SETTLED, "zh-CN")
    holder.enter()
    everywhere(story, holder, "past", OPEN)
    for address, press, page in LISTED.values():
        holder.go(address)
        link = holder.page.locator(press).first.get_attribute("href")
        story.look(f"{page}-past", story.demo.base + link, holder.state())
    holder.finish("every page")


def new_to_everything(story, holder):
    """The same pages with nothing to show yet."""
    everywhere(story, holder, "new", EMPTY_TOO)


def everywhere(story, holder, kind, addresses):
    for address, page in sorted(each for each in OPEN.items() if each[0] in addresses):
        story.look(f"{page}-{kind}", story.demo.base + address, holder.state())


def nothing_left_out(story, whole):
    """Every address of the router stands in a list above, and, after a whole story, every look that was promised was taken."""
    known = {**OPEN, **LISTED, **TOLD, **NO_PAGE}
    missing = sorted(address for address in routes() if address not in known)
    story.tally.check("every page of the router is in the lists of pages.py", not missing, missing)
    gone = sorted(address for address in known if address not in routes())
    story.tally.check("every page of pages.py is in the router", not gone, gone)
    if whole:
        promised = [name for names in TOLD.values() for name in names]
        untaken = sorted(name for name in promised if name not in story.looker.seen)
        story.tally.check("every look that was promised was taken", not untaken, untaken)
