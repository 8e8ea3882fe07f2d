"""With scripts switched off: through every journey of money, and to everything else that a holder comes for."""

import re
from urllib.parse import urlsplit

from playwright.sync_api import expect

from book import LOADED, ORDERED, ledger, paid, topped_up
from checks import DESK, DESK_AGENT, LANGUAGES, WECHAT_AGENT
from people import PASSWORD, SETTLED, Holder, Till, arrive

# What somebody types who chose an amount before: what is typed counts, and no script takes the choice away.
CHOSEN, TYPED, TYPED_FEN = "100", "2.00", 200


def without_script(story):
    """The same ways with scripts switched off."""
    to_the_card(story)
    for language in LANGUAGES:
        cancelled_and_asked(story, language)
        code_on_a_desk(story, language)
        inside_wechat(story, language)
        looking_up(story, language)


def plain(story, number, language, **more):
    """Somebody without scripts, who comes in by the door."""
    holder = Holder(story, number, language, java_script_enabled=False, **more)
    holder.enter()
    return holder


def to_the_card(story):
    """Ordered, paid, held to the till, and out again."""
    holder, till = plain(story, 0, "en"), Till(story, "en")
    before = holder.api("/me")["on_card_fen"]
    with ledger(story, "without script", topped_up(5000), LOADED):
        holder.order()
        holder.pay()
        holder.sees("waiting")
        till.hold(0)
        holder.sees("on_card")
        till.pull()
    story.balance(holder, "without script: the card holds it", {"waiting": 0, "on_card": before + 5000})
    holder.page.goto(story.demo.base + "/me")
    holder.page.click("form[action='/sign-out'] button")
    arrive(holder.page, "/sign-in")
    till.context.close()
    holder.finish("without script")


def cancelled_and_asked(story, language):
    """Refused amounts keep what was typed; who cancels at the cashier pays later; who paid asks at once."""
    name, holder = f"without script, later {language}", plain(story, SETTLED, language)
    page, total = holder.page, story.places(holder)["total"]
    with ledger(story, name, topped_up(TYPED_FEN)):
        holder.go("/me/topup")
        page.fill("#amount", "1e3")
        page.click("main button.primary")
        expect(page.locator("#amount-error")).to_be_visible()
        story.tally.same(f"{name}: what was typed stays", page.input_value("#amount"), "1e3")
        # Chosen first, then typed: without a script both are sent.
        page.check(f"input[name=preset][value='{CHOSEN}']", force=True)
        page.fill("#amount", TYPED)
        page.click("main button.primary")
        arrive(page, "/pay/*")
        number = holder.number_here()
        expect(page.locator("main")).to_contain_text("¥2.00")
        page.click("[data-testid=cashier]")
        page.click("button[value=cancel]")
        arrive(page, "/me/orders/*")
        holder.sees("not_paid")
        page.click(f"main a[href='/pay/{number}']")
        arrive(page, "/pay/*")
        page.click(f"main a[href='/me/orders/{number}']")
        arrive(page, "/me/orders/*")
        story.demo.control("/control/notice", {"mode": "lost"})
        try:
            story.demo.payer(number)
            page.click("main form[action^='/me/orders/'] button")
            holder.sees("waiting", of="¥2.00")
        finally:
            story.demo.control("/control/notice", {"mode": "normal"})
    story.balance(holder, f"{name}: credited once", {"total": total + TYPED_FEN})
    holder.finish(name)


def code_on_a_desk(story, language):
    """The page with the code leads on to the order, which comes to know by itself."""
    name = f"without script, by code {language}"
    holder = plain(story, SETTLED, language, user_agent=DESK_AGENT, viewport=DESK)
    page, total = holder.page, story.places(holder)["total"]
    with ledger(story, name, topped_up(300)):
        number = holder.order("3.00")
        expect(page.locator(".qr svg")).to_be_visible()
        page.click(f"main a[href='/me/orders/{number}']")
        arrive(page, "/me/orders/*")
        holder.sees("not_paid")
        story.demo.payer(number)
        holder.sees("waiting", of="¥3.00")
        # Back at the code of an order that is paid.
        holder.go(f"/pay/{number}")
        arrive(page, f"/me/orders/{number}")
    story.balance(holder, f"{name}: credited once", {"total": total + 300})
    holder.finish(name)


def inside_wechat(story, language):
    """WeChat's own payment needs a script, and the page says so; the order waits, and tells of it when it is paid."""
    name = f"without script, inside wechat {language}"
    holder = Holder(story, SETTLED, language, user_agent=WECHAT_AGENT, java_script_enabled=False)
    page = holder.page
    holder.go("/me/topup")
    page.wait_for_selector("#number")
    holder.sign_in(PASSWORD)
    arrive(page, "/me/topup")
    total = story.places(holder)["total"]
    with ledger(story, name, topped_up(100)):
        page.fill("#amount", "1.00")
        page.click("main button.primary")
        arrive(page, "/pay/*")
        number = holder.number_here()
        expect(page.locator("#bridge-says")).to_contain_text(holder.words["needs_script"])
        page.click("[data-testid=cashier]")
        arrive(page, "/cashier/*")
        page.click("button[value=pay]")
        arrive(page, f"/me/orders/{number}")
        holder.sees("waiting", of="¥1.00")
    story.balance(holder, f"{name}: credited once", {"total": total + 100})
    holder.finish(name)


def looking_up(story, language):
    """Records by kind and month, messages, a statement and its document, language and look; nothing of it moves money."""
    name, holder = f"without script, looking up {language}", plain(story, SETTLED, language)
    with ledger(story, name):
        filtered(story, name, holder)
        messages(story, name, holder)
        statement(story, name, holder)
        display(story, name, holder)
        holder.go("/me")
        holder.page.click("form[action='/sign-out'] button")
        arrive(holder.page, "/sign-in")
        holder.go("/me/records")
        arrive(holder.page, "/sign-in")
    holder.finish(name)


def filtered(story, name, holder):
    page = holder.page
    holder.go("/me/records")
    page.select_option("#kind", "purchase")
    month = page.locator("#month option").nth(2).get_attribute("value")
    page.select_option("#month", month)
    page.click("form.filters button")
    page.wait_for_url(lambda address: f"month={month}" in address)
    lines = page.locator("main .rows > li .sum").all_inner_texts()
    right = lines and all(holder.words["out"] in line for line in lines)
    story.tally.check(f"{name}: purchases of {month} alone", right, lines)
    story.tally.same(f"{name}: the filter stays", page.input_value("#kind"), "purchase")
    page.click("main a[rel=next]")
    page.wait_for_url(lambda address: "after=" in address)
    story.tally.check(f"{name}: the filter stays on older pages", f"month={month}" in page.url, page.url)
    expect(page.locator("main .rows > li a")).not_to_have_count(0)


def messages(story, name, holder):
    page = holder.page
    holder.go("/me/messages")
    expect(page.locator("[data-testid=unread]")).to_be_visible()
    page.click("main form[action='/me/messages'] button")
    expect(page.locator("[data-testid=unread]")).to_have_count(0)
    left = holder.api("/me/messages")["unread"]
    story.tally.same(f"{name}: every message is read", left, 0)


def statement(story, name, holder):
    page = holder.page
    holder.go("/me/statements")
    page.locator("main a[href^='/me/statements/']").nth(1).click()
    arrive(page, "/me/statements/*")
    with page.expect_download() as begun:
        page.click("main a[href$='.pdf']")
    with open(begun.value.path(), "rb") as file:
        body = file.read()
    story.tally.check(f"{name}: the statement is a document", body.startswith(b"%PDF-") and b"%%EOF" in body[-16:], len(body))


def display(story, name, holder):
    """The other language and the other look, and back."""
    page = holder.page
    holder.go("/me/card")
    was = page.locator("html").get_attribute("lang")
    for spoken in (LANGUAGES[was == LANGUAGES[0]], was):
        page.click("button[name=language]")
        page.wait_for_selector(f"html[lang={spoken}]")
        story.tally.same(f"{name}: the same page in {spoken}", urlsplit(page.url).path, "/me/card")
    page.click("button[name=theme]")
    page.wait_for_selector("html[data-theme=dark]")
