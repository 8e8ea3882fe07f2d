"""Impatient people: double click, back, reload, two tabs. Whatever is sent twice happens once, and the book says so too."""

from playwright.sync_api import expect

from book import ORDERED, ledger, paid, topped_up
from people import PASSWORD, SETTLED, Holder, arrive


def open_orders(holder):
    return {each["number"] for each in holder.api("/me")["open_orders"]}


def double_clicks(story):
    """Every form that changes something, clicked twice as fast as a hand can."""
    holder = Holder(story, SETTLED, "zh-CN")
    page = holder.page
    holder.enter()
    holder.finish("known before")

    holder = Holder(story, SETTLED, "zh-CN")
    page = holder.page
    holder.go("/sign-in")
    page.fill("#number", holder.who["number"])
    page.fill("#password", PASSWORD)
    page.dblclick("main button.primary", no_wait_after=True)
    arrive(page, "/me")
    known = open_orders(holder)
    with ledger(story, "double click: one order, and asking moves nothing", ORDERED):
        holder.go("/me/topup")
        page.fill("#amount", "2.00")
        page.dblclick("main button.primary", no_wait_after=True)
        arrive(page, "/pay/*")
        number = holder.number_here()
        story.tally.same("double click: one order", open_orders(holder) - known, {number})
        page.reload()
        holder.go(f"/me/orders/{number}")
        page.dblclick("main form[action^='/me/orders/'] button", no_wait_after=True)
        holder.sees("not_paid")
    with ledger(story, "double click: paid once", paid(200)):
        holder.go(f"/pay/{number}")
        page.dblclick("[data-testid=cashier]", no_wait_after=True)
        arrive(page, "/cashier/*")
        page.dblclick("button[value=pay]", no_wait_after=True)
        arrive(page, "/me/orders/*")
        holder.sees("waiting", of="¥2.00")
    with ledger(story, "reload: nothing moves"):
        for _ in range(2):
            page.reload()
            holder.sees("waiting", of="¥2.00")
        holder.go("/me")
        page.dblclick("form[action='/sign-out'] button", no_wait_after=True)
        arrive(page, "/sign-in")
    holder.finish("double clicks")


def back_and_forth(story):
    """Back to a form that was sent is a form of its own; back from a cashier changes nothing."""
    holder = Holder(story, SETTLED, "en")
    page = holder.page
    holder.enter()
    known = open_orders(holder)
    with ledger(story, "back and forth", topped_up(300)):
        moved_back_and_forth(story, holder, known)
    holder.finish("back and forth")


def moved_back_and_forth(story, holder, known):
    page = holder.page
    first = holder.order("3.00")
    page.go_back()
    arrive(page, "/me/topup")
    page.go_forward()
    arrive(page, f"/pay/{first}")
    page.reload()
    arrive(page, f"/pay/{first}")
    story.tally.same("back and forward make no order", open_orders(holder) - known, {first})
    page.click("[data-testid=cashier]")
    arrive(page, "/cashier/*")
    page.go_back()
    arrive(page, f"/pay/{first}")
    holder.pay()
    holder.sees("waiting", of="¥3.00")
    # Back to the cashier and to the pay page of an order that is paid.
    holder.go(f"/pay/{first}")
    arrive(page, f"/me/orders/{first}")
    holder.sees("waiting", of="¥3.00")


def two_tabs(story):
    """Two tabs with one form each are two orders; one order open in two tabs is paid once, and both tabs come to know."""
    holder = Holder(story, SETTLED, "zh-CN")
    holder.enter()
    tabs = [holder.page, holder.context.new_page()]
    with ledger(story, "two tabs: two orders, one of them paid once", ORDERED, topped_up(100)):
        ordered_in_two_tabs(story, holder, tabs)
    with ledger(story, "a form of a session that is over does nothing"):
        signed_out_in_the_other(story, holder, tabs)
    tabs[1].close()
    holder.sign_in(PASSWORD)
    arrive(tabs[0], "/me/topup")
    holder.finish("two tabs")


def ordered_in_two_tabs(story, holder, tabs):
    known = open_orders(holder)
    for tab, amount in zip(tabs, ("1.00", "2.00")):
        tab.goto(f"{story.demo.base}/me/topup")
        tab.fill("#amount", amount)
    for tab in tabs:
        tab.click("main button.primary")
        arrive(tab, "/pay/*")
    made = open_orders(holder) - known
    story.tally.same("two tabs: two orders", len(made), 2)
    number = holder.number_here()
    tabs[1].goto(f"{story.demo.base}/pay/{number}")
    holder.pay()
    holder.sees("waiting", of="¥1.00")
    tabs[1].bring_to_front()
    arrive(tabs[1], f"/me/orders/{number}")
    expect(tabs[1].locator("[data-testid=tracker]")).to_contain_text("¥1.00")


def signed_out_in_the_other(story, holder, tabs):
    """A form of a session that ended in the other tab leads to the door and back; nothing is done."""
    tabs[0].goto(f"{story.demo.base}/me/topup")
    tabs[0].fill("#amount", "4.00")
    tabs[1].goto(f"{story.demo.base}/me")
    tabs[1].click("form[action='/sign-out'] button")
    arrive(tabs[1], "/sign-in")
    tabs[0].click("main button.primary")
    arrive(tabs[0], "/sign-in")
    expect(tabs[0].locator("main .note[role=status]")).to_be_visible()


def twice(story):
    double_clicks(story)
    back_and_forth(story)
    two_tabs(story)
