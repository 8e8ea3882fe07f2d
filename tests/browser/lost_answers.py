"""Sent twice for certain: the first time the answer is lost on the way, and the same form is sent again from the page that still
shows it. A double click alone does not show that: browsers often drop the first of two requests before it is sent.

Every form that changes something, by somebody for whom the first one counted already."""

from urllib.parse import urlsplit

from playwright.sync_api import expect

from book import ORDERED, ledger
from people import PASSWORD, SETTLED, Holder, arrive

OTHER_PASSWORD = "dong-tian-8642"
FIELDS = """form => [...new FormData(form)].map(([name, value]) => [name, String(value)])"""


def sent_before(story, holder, form, button=None):
    """Sends the form of the page with the cookies that it has now; the answer never reaches the page. Gives its status and where
    it leads."""
    form = holder.page.locator(form).first
    fields = dict(form.evaluate(FIELDS))
    if button:
        pressed = form.locator(button).first
        if pressed.get_attribute("name"):
            fields[pressed.get_attribute("name")] = pressed.get_attribute("value")
    elsewhere = story.playwright.request.new_context(storage_state=holder.state(), base_url=story.demo.base)
    try:
        answer = elsewhere.post(
            form.get_attribute("action"),
            form=fields,
            headers={"Origin": story.demo.base, "User-Agent": holder.page.evaluate("navigator.userAgent")},
            max_redirects=0,
        )
        return answer.status, answer.headers.get("location")
    finally:
        elsewhere.dispose()


def leaves(page, act):
    """Does this, and waits until another page is there, be it one of the same address."""
    page.evaluate("document.documentElement.setAttribute('data-left', '')")
    act()
    page.wait_for_selector("html:not([data-left])", state="attached")
    page.wait_for_load_state()


def lost_answers(story):
    """Top-up, tracker, messages, devices, tokens, proof, password."""
    holder = Holder(story, SETTLED, "zh-CN")
    holder.enter()
    with ledger(story, "lost answers: one order", ORDERED):
        ordered(story, holder)
    with ledger(story, "lost answers: nothing else moves"):
        devices(story, holder)
        tokens(story, holder)
        read(story, holder)
        proved(story, holder)
        changed(story, holder)
    holder.finish("lost answers")


def again(story, holder, name, form, button, lands):
    """Sent once without an answer, then by an impatient double click; all lead to the same place. Gives where the first did."""
    first = sent_before(story, holder, form, button)
    clicked = holder.page.locator(form).first.locator(button).first
    leaves(holder.page, lambda: clicked.dblclick(no_wait_after=True))
    arrive(holder.page, lands)
    story.tally.check(f"{name}: it counted the first time", first[0] == 303, first)
    return first[1]


def ordered(story, holder):
    holder.go("/me/topup")
    holder.page.fill("#amount", "2.00")
    led = again(story, holder, "lost answer, top-up", "main form", "button.primary", "/pay/*")
    story.tally.same("lost answer, top-up: the same order", led, f"/pay/{holder.number_here()}")
    holder.go(f"/me/orders/{holder.number_here()}")
    again(story, holder, "lost answer, asking", "main form", "button", "/me/orders/*")
    holder.sees("not_paid")


def read(story, holder):
    """There is a message of the new token at least."""
    holder.go("/me/messages")
    again(story, holder, "lost answer, messages", "main form", "button", "/me/messages")
    expect(holder.page.locator("[data-testid=unread]")).to_have_count(0)


def devices(story, holder):
    """Another browser is signed out by its line; then all others."""
    for which, button in (("one device", ".devices form"), ("all others", "section > form")):
        other = Holder(story, SETTLED, "en")
        other.enter()
        holder.go("/me/security")
        left = holder.page.locator(".devices > li").count()
        again(story, holder, f"lost answer, {which}", f"main {button}", "button", "/me/security")
        ended = left - holder.page.locator(".devices > li").count()
        right = ended == 1 if which == "one device" else holder.page.locator(".devices > li").count() == 1
        story.tally.check(f"lost answer, {which}: ended once, this one goes on", right, (left, ended))
        if which == "all others":
            other.go("/me")
            arrive(other.page, "/sign-in")
        other.finish(f"lost answer, {which}")


def tokens(story, holder):
    page = holder.page
    holder.go("/me/security/tokens")
    page.fill("#name", "笔记本")
    again(story, holder, "lost answer, token", "main form:has(#name)", "button.primary", "/me/security/tokens")
    expect(page.locator("[data-testid=token]")).to_have_count(1)
    revoke = "main form[action$='/revoke']"
    story.tally.same("lost answer, token: one token", page.locator(revoke).count(), 1)
    page.reload()
    again(story, holder, "lost answer, end of a token", revoke, "button", "/me/security/tokens")
    story.tally.same("lost answer, token: it has ended", page.locator(revoke).count(), 0)


def proved(story, holder):
    """The proof gives the session a new secret, which was in the answer that is lost: the door comes next."""
    holder.go("/prove?next=/me/security/tokens")
    holder.page.fill("#password", PASSWORD)
    again(story, holder, "lost answer, proof", "main form", "button.primary", "/sign-in")
    said_at_the_door(story, holder, "proof", "prove", PASSWORD)


def changed(story, holder):
    """The new password holds; nobody is told that it is wrong, and it opens the door. Then back to the old one."""
    page = holder.page
    holder.go("/password")
    holder.fill_passwords(PASSWORD, OTHER_PASSWORD)
    again(story, holder, "lost answer, password", "main form", "button.primary", "/sign-in")
    said_at_the_door(story, holder, "password", "password", OTHER_PASSWORD)
    holder.go("/password")
    holder.fill_passwords(OTHER_PASSWORD, PASSWORD)
    page.dblclick("main button.primary", no_wait_after=True)
    # The browser drops the first request; where it comes all the same, the second finds its session over.
    holder.page.wait_for_url(lambda address: urlsplit(address).path in ("/me", "/sign-in"))
    other = Holder(story, SETTLED, "en")
    other.enter()
    other.finish("double click, password: the new one opens the door")


def said_at_the_door(story, holder, what, form, password):
    expect(holder.page.locator("main .note[role=status]")).to_be_visible()
    story.tally.check(f"lost answer, {what}: the door says that the session is over", True)
    holder.sign_in(password)
    # Past the page that goes on by itself, to where the form stood.
    arrive(holder.page, f"/{form}")
