"""At the till: the clerk's keys, lamp, sound, the day's takings, and the card that is pulled away, in both languages."""

from playwright.sync_api import expect

from book import LOADED, ledger, sold, topped_up
from people import PATIENCE_MILLISECONDS, Holder, Till

# Cards beside the till: that of the holder, and one of somebody who has not topped up yet.
OURS, EMPTY = 1, 2


def at_the_till(story):
    """Typed, corrected, entered twice, refused, repeated, called off; heard only when asked for."""
    till = Till(story, "en")
    with ledger(story, "at the till, refused"):
        keyed(story, till)
        sounds(story, till)
        till.context.close()
        keys_without_script(story)
    pulled(story)


def keyed(story, till):
    till.keys("1", "3", "back", "2", ".", "5")
    till.shows("12.5")
    till.keys("enter", "enter")
    till.shows("To pay 12.50")
    till.hold(EMPTY)
    till.lamp("red")
    till.shows("12.50 not paid")
    story.looker.shot(till.page, "pos refused")
    till.takings("12.50, not paid")
    till.keys("cancel")
    till.shows("Called off")
    till.keys("repeat")
    till.shows("12.50")
    till.keys("cancel")
    till.pull()


def sounds(story, till):
    """Off until it is pressed; then each outcome is played once."""
    switch = till.page.locator("[data-testid=pos-sound]")
    expect(switch).to_have_attribute("aria-pressed", "false")
    story.tally.check("nothing was played unasked", switch.get_attribute("data-played") is None)
    switch.click()
    expect(switch).to_have_attribute("aria-pressed", "true")
    till.sale("9.00")
    till.hold(EMPTY)
    till.lamp("red")
    expect(switch).to_have_attribute("data-played", "1", timeout=PATIENCE_MILLISECONDS)
    expect(till.page.locator("[data-testid=pos-lamp]")).to_have_attribute("data-sound", "not-enough")
    till.page.locator("[data-testid=pos-cancel]").click()
    till.pull()
    switch.click()
    expect(switch).to_have_attribute("aria-pressed", "false")


def keys_without_script(story):
    till = Till(story, "zh-CN", java_script_enabled=False)
    till.keys("7", "5")
    till.shows("75 元")
    story.tally.check("without script no switch for sounds", not till.page.locator("[data-testid=pos-sound]").is_visible())
    till.keys("cancel")
    till.context.close()


def pulled(story):
    """Pulled away while it is loaded, then while it is debited: told in plain words, in one place at any time."""
    holder, till = Holder(story, OURS, "zh-CN"), Till(story, "zh-CN")
    holder.enter()
    before = story.places(holder)
    with ledger(story, "the till: torn load", topped_up(5000), LOADED):
        holder.order()
        holder.pay()
        holder.sees("waiting")
        till.hold(OURS, "credit-applied")
        till.shows("卡片移开过早")
        story.looker.shot(till.page, "pos removed early")
        till.hold(OURS)
        till.lamp("green")
        till.shows("账户")
        till.pull()
    loaded = before["on_card"] + before["waiting"] + 5000
    story.balance(holder, "the till: loaded once", {"waiting": 0, "in_transit": 0, "on_card": loaded})

    with ledger(story, "the till: torn purchase", sold(1200)):
        till.sale("12.00")
        till.hold(OURS, "debit-applied")
        till.shows("是否扣款尚未确认")
        till.hold(EMPTY)
        till.shows("这不是刚才的卡")
        till.lamp("red")
        till.hold(OURS)
        till.lamp("green")
        till.shows("已付 12.00 元")
        till.takings("12.00 元 已付（卡内）")
        till.page.emulate_media(color_scheme="dark")
        story.looker.shot(till.page, "pos paid dark")
        till.pull()
    story.balance(holder, "the till: paid once", {"on_card": loaded - 1200, "total": before["total"] + 3800})
    till.context.close()
    holder.finish("at the till")
