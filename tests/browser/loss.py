"""A card is reported lost: with and without script, twice, in two tabs, back and forth. No money moves, the till refuses it."""

from playwright.sync_api import expect

from book import CARD_LOST, ledger, topped_up
from lost_answers import leaves, sent_before
from people import PATIENCE_MILLISECONDS, SETTLED, Holder, Till, arrive

# Whose cards are lost at the end of the story: one lies beside the till.
AT_THE_TILL = 1
FORM, REPORT = "main form[action='/me/card/loss']", "main form[action='/me/card/loss'] button.grave"


def card_lost(story):
    without_script(story)
    several_times(story)


def without_script(story):
    """From the first page to the report; what is shown afterwards; the till refuses, and nothing can be topped up; but what was
    ordered before and is paid now is credited, and kept."""
    holder, till = Holder(story, AT_THE_TILL, "zh-CN", java_script_enabled=False), Till(story, "zh-CN")
    page = holder.page
    holder.enter()
    before = story.places(holder)
    with ledger(story, "card lost, without script", CARD_LOST, topped_up(5000), topped_up(200)):
        holder.order()
        holder.pay()
        holder.sees("waiting")
        under_way = holder.order("2.00")
        holder.go("/me")
        page.click("main a[href='/me/card']")
        arrive(page, "/me/card")
        page.click("main a[href='/me/card/loss']")
        arrive(page, "/me/card/loss")
        expect(page.locator("#money + ul")).to_contain_text(f"¥{(before['waiting'] + 5000) / 100:,.2f}")
        page.click("main a[href='/me/card']")
        arrive(page, "/me/card")
        page.click("main a[href='/me/card/loss']")
        page.click(REPORT)
        arrive(page, "/me/card")
        expect(page.locator("[data-testid=card]")).to_contain_text("挂失冻结")
        expect(page.locator("[data-testid=since]")).to_be_visible()
        story.tally.same("card lost: it cannot be reported again", page.locator("main a[href='/me/card/loss']").count(), 0)
        page.go_back()
        page.goto(f"{story.demo.base}/me/card/loss")
        arrive(page, "/me/card")
        holder.go("/me")
        expect(page.locator("[data-testid=stopped]")).to_be_visible()
        holder.go("/me/topup")
        expect(page.locator("main button.primary")).to_be_disabled()
        holder.go("/me/messages")
        expect(page.locator("main .rows > li").first).to_contain_text("挂失")
        till.hold(AT_THE_TILL)
        till.lamp("red")
        till.pull()
        story.demo.payer(under_way)
        holder.go(f"/me/orders/{under_way}")
        expect(page.locator("[data-testid=tracker]")).to_contain_text("保留", timeout=PATIENCE_MILLISECONDS)
    kept = {"waiting": before["waiting"] + 5200, "on_card": before["on_card"], "total": before["total"] + 5200}
    story.balance(holder, "card lost: every fen where it was, what came is kept", kept)
    story.look("order-kept", f"{story.demo.base}/me/orders/{under_way}", holder.state())
    for name, path in (("card-lost", "/me/card"), ("home-lost", "/me"), ("top-up-lost", "/me/topup")):
        story.look(name, story.demo.base + path, holder.state())
    till.context.close()
    holder.finish("card lost, without script")


def several_times(story):
    """Two tabs with the form; in one it is sent, its answer is lost, and it is clicked twice; then the other one; then back."""
    holder = Holder(story, SETTLED, "en")
    holder.enter()
    before = story.places(holder)
    first, second = holder.page, holder.context.new_page()
    for tab in (first, second):
        tab.goto(f"{story.demo.base}/me/card")
        tab.click("main a[href='/me/card/loss']")
        arrive(tab, "/me/card/loss")
    since = first.locator("[data-testid=since]")
    with ledger(story, "card lost, several times", CARD_LOST):
        sent = sent_before(story, holder, FORM, REPORT.removeprefix(FORM).strip())
        story.tally.same("card lost: it counted the first time", sent, (303, "/me/card"))
        leaves(first, lambda: first.dblclick(REPORT, no_wait_after=True))
        arrive(first, "/me/card")
        told = since.inner_text()
        leaves(second, lambda: second.click(REPORT))
        story.looker.shot(second, "card lost in the other tab")
        for step in (first.go_back, first.go_forward, first.reload):
            step()
            arrive(first, "/me/card")
            story.tally.same("card lost: the time of effect stays", since.inner_text(), told)
    story.balance(holder, "card lost several times: every fen where it was", before)
    seen = second.locator("main").inner_text()
    story.tally.check("card lost: the other tab tells the same, or that it is lost already", "lost" in seen.lower(), seen)
    holder.finish("card lost, several times")
