"""What a page looks like when something is not as usual: refused, off line, signed out meanwhile, out of date, not there."""

from playwright.sync_api import expect

from book import ledger, topped_up
from checks import LANGUAGES, WECHAT_AGENT
from measure import Measure
from people import PASSWORD, PATIENCE_MILLISECONDS, SETTLED, Holder, arrive

MENU_WIDTH = 360
TOO_LARGE = 70_000
NOTHING_MOVED = {"zh-CN": "没有发生任何扣款或入账", "en": "No money has moved"}


def refused_form(selector, value, more=()):
    """Fills in what will be refused, and sends it."""

    def act(page):
        for field, text in ((selector, value), *more):
            page.fill(field, text)
        page.click("main button.primary")
        expect(page.locator("[role=alert]")).to_be_visible()

    return act


def forgotten(page):
    """The browser lost its cookies while the form was open."""
    page.context.clear_cookies()
    page.fill("#number", "2026999999")
    page.fill("#password", "nothing-right")
    page.click("main button.primary")
    expect(page.locator(".fails")).to_be_visible()


def oversized(page):
    page.evaluate(f"document.querySelector('#number').removeAttribute('maxlength'); number.value = 'x'.repeat({TOO_LARGE})")
    page.fill("#password", "x")
    page.click("main button.primary")
    expect(page.locator(".fails")).to_be_visible()


def faces(story):
    """Every refusal that a person can come to has its face: what happened, what became of the money, what next."""
    base, look = story.demo.base, story.look
    holder = Holder(story, SETTLED, "zh-CN")
    holder.enter()
    wrong = refused_form("#number", "2026999999", [("#password", "nothing-right")])
    look("sign-in-refused", f"{base}/sign-in", act=wrong)
    look("top-up-refused", f"{base}/me/topup", holder.state(), act=refused_form("#amount", "abc"))
    same = refused_form("#old", PASSWORD, [("#new", holder.who["number"]), ("#again", holder.who["number"])])
    look("password-refused", f"{base}/password", holder.state(), act=same)
    failures = [
        ("not-found", "/nothing/here", None),
        ("not-yours", "/me/orders/261122123005000112345678", None),
        ("not-allowed", "/sign-out", None),
        ("stale-form", "/sign-in", forgotten),
        ("too-large", "/sign-in", oversized),
    ]
    for name, address, act in failures:
        state = None if act else holder.state()
        look(name, base + address, state, act=act)
        for language in LANGUAGES:
            context = story.looker.context(language, state)
            page = context.new_page()
            page.goto(base + address)
            if act:
                act(page)
            said = page.locator("main").inner_text()
            story.tally.check(f"{name} {language}: says what became of the money", NOTHING_MOVED[language] in said, said)
            way = page.locator("main a.primary")
            story.tally.check(f"{name} {language}: says where to go on", way.count() == 1, way.count())
            context.close()
    holder.finish("faces")


def off_line(story):
    """The network goes and comes back: the page says so, keeps what it knew and what was typed, and catches up by itself."""
    for language in LANGUAGES:
        holder = Holder(story, SETTLED, language)
        holder.enter()
        page, context = holder.page, holder.context
        says = page.locator("#offline")
        with ledger(story, f"off line {language}", topped_up(200)):
            number = holder.order("2.00")
            holder.go(f"/me/orders/{number}")
            holder.sees("not_paid")
            expect(says).to_have_text("")
            context.set_offline(True)
            expect(says).to_have_text(says.get_attribute("data-says"), timeout=PATIENCE_MILLISECONDS)
            holder.sees("not_paid")
            story.looker.shot(page, f"order off line {language}")
            story.demo.payer(number)
            context.set_offline(False)
            holder.sees("waiting", of="¥2.00")
            expect(says).to_have_text("", timeout=PATIENCE_MILLISECONDS)
        holder.go("/me/topup")
        with ledger(story, f"off line {language}: nothing is sent"):
            page.fill("#amount", "7.00")
            context.set_offline(True)
            page.click("main button.primary")
            expect(says).to_have_text(says.get_attribute("data-says"))
            story.tally.check(f"off line {language}: what was typed stays", page.input_value("#amount") == "7.00")
            context.set_offline(False)
            expect(says).to_have_text("", timeout=PATIENCE_MILLISECONDS)
        # What the browser itself says of requests that could not be sent is no fault of the page.
        holder.watch.errors = [each for each in holder.watch.errors if "ERR_INTERNET_DISCONNECTED" not in each]
        holder.finish(f"off line {language}")


def session_over(story):
    """Signed out elsewhere while a tracker is open: the page leads to the door, says why, and back to the tracker."""
    for language in LANGUAGES:
        holder = Holder(story, SETTLED, language)
        holder.enter()
        number = holder.order("2.00")
        holder.go(f"/me/orders/{number}")
        dead = holder.state()
        elsewhere = Holder(story, SETTLED, language, state=dead)
        elsewhere.go("/me")
        elsewhere.page.click("form[action='/sign-out'] button")
        arrive(elsewhere.page, "/sign-in")
        elsewhere.finish(f"signed out elsewhere {language}")
        arrive(holder.page, "/sign-in")
        expect(holder.page.locator("main [role=status].note")).to_be_visible()
        holder.sign_in(PASSWORD)
        arrive(holder.page, f"/me/orders/{number}")
        holder.finish(f"session over {language}")
        if language == LANGUAGES[0]:
            story.look("sign-in-over", f"{story.demo.base}/me/topup", dead, lands="/sign-in")


def fits(story, name, page):
    measure = Measure(page).ready()
    width = page.viewport_size["width"]
    needed = page.evaluate("document.documentElement.scrollWidth")
    story.tally.check(f"{name}: no sideways scroll", needed <= width, needed)
    out = measure.overflow() + measure.broken()
    story.tally.check(f"{name}: nothing sticks out or breaks", not out, out)


def journey(story, name, holder, pay):
    """From the door to money that waits for the card, and to its record; the book has it once."""
    page = holder.page

    def here(path, what):
        arrive(page, path)
        fits(story, f"{name}, {what}", page)

    holder.go("/me/topup")
    # Inside WeChat the way to the form leads over WeChat itself.
    page.wait_for_selector("#number")
    here("/sign-in", "the door")
    holder.sign_in(PASSWORD)
    here("/me/topup", "top-up")
    total = story.places(holder)["total"]
    with ledger(story, name, topped_up(100)):
        page.fill("#amount", "1.00")
        page.click("main button.primary")
        number = pay(here)
        here("/me/orders/*", "tracker")
        holder.sees("waiting", of="¥1.00")
    fits(story, f"{name}, tracker, paid", page)
    holder.go("/me")
    here("/me", "first page")
    holder.go("/me/records")
    here("/me/records", "records")
    page.click(f"main a[href='/me/records/{number}']")
    here("/me/records/*", "record")
    story.balance(holder, f"{name}: credited once", {"total": total + 100})
    holder.finish(name)


def by_menu(story):
    """R23: the menu of the official account opens the page inside WeChat, on a screen 360 px wide; also with the script off,
    where the cashier's link leads on."""
    for language in LANGUAGES:
        small = {"width": MENU_WIDTH, "height": 640}
        holder = Holder(story, SETTLED, language, user_agent=WECHAT_AGENT, viewport=small)
        holder.context.add_init_script("window.WeixinJSBridge = { invoke() {} }")

        def pay(here, holder=holder):
            here("/pay/*", "pay")
            number = holder.number_here()
            story.demo.payer(number)
            holder.page.click(f"main a[href='/me/orders/{number}']")
            return number

        journey(story, f"by menu {language}", holder, pay)


def with_large_text(story):
    """Everything with text twice as large, as the setting of a phone or of WeChat makes it."""
    for language in LANGUAGES:
        holder = Holder(story, SETTLED, language)
        holder.context.add_init_script(
            "document.addEventListener('DOMContentLoaded', () => { document.documentElement.style.fontSize = '200%'; })"
        )

        def pay(here, holder=holder):
            here("/pay/*", "pay")
            number = holder.number_here()
            holder.pay()
            return number

        journey(story, f"large text {language}", holder, pay)
