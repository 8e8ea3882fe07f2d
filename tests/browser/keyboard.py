"""With the keyboard alone: Tab, Shift+Tab, arrows, Space and Enter lead everywhere, through money and back."""

from book import ledger, topped_up
from people import PASSWORD, SETTLED, Holder, arrive

MOST_TABS = 60


class Keys:
    """Somebody who has no mouse."""

    def __init__(self, holder):
        self.page = holder.page

    def to(self, selector):
        """Tabs on until the focus is there."""
        for _ in range(MOST_TABS):
            self.page.keyboard.press("Tab")
            found = self.page.locator(selector)
            if found.count() and found.first.evaluate("element => element === document.activeElement"):
                return self
        raise AssertionError(f"{selector} is not reached with Tab")

    def types(self, text):
        self.page.keyboard.type(text)
        return self

    def press(self, key="Enter"):
        self.page.keyboard.press(key)
        return self

    def arrives(self, path):
        arrive(self.page, path)
        return self


def by_keyboard(story):
    """Sign in, top up, pay, follow it, find its record, change language and look, sign out."""
    holder = Holder(story, SETTLED, "zh-CN")
    holder.enter()
    holder.finish("known before")
    holder = Holder(story, SETTLED, "zh-CN")
    keys, page = Keys(holder), holder.page
    holder.go("/sign-in")
    keys.to("#number").types(holder.who["number"]).to("#password").types(PASSWORD).press().arrives("/me")
    with ledger(story, "by keyboard", topped_up(100)):
        money_by_keyboard(story, holder, keys)
    keys.to("button[name=language]").press()
    page.wait_for_selector("html[lang=en]")
    keys.to("button[name=theme]").press()
    page.wait_for_selector("html[data-theme=dark]")
    keys.to("a.back").press().arrives("/me")
    keys.to("form[action='/sign-out'] button").press().arrives("/sign-in")
    holder.finish("by keyboard")


def money_by_keyboard(story, holder, keys):
    """From the first page to a paid order and its record."""
    page, total = holder.page, story.places(holder)["total"]
    keys.to("a.skip").press()
    keys.to("a[href='/me/topup']").press().arrives("/me/topup")
    keys.to("input[name=preset]").press("Space")
    chosen = page.locator("input[name=preset]:checked").get_attribute("value")
    keys.press("ArrowRight")
    other = page.locator("input[name=preset]:checked").get_attribute("value")
    story.tally.check("by keyboard: arrows choose among the amounts", chosen != other, (chosen, other))
    keys.to("#amount").types("1")
    story.tally.check("by keyboard: a typed amount counts", page.locator("input[name=preset]:checked").count() == 0)
    keys.to("main button.primary").press().arrives("/pay/*")
    keys.to("[data-testid=cashier]").press().arrives("/cashier/*")
    keys.to("button[value=pay]").press().arrives("/me/orders/*")
    number = holder.number_here()
    holder.sees("waiting", of="¥1.00")
    keys.to("a.back").press().arrives("/me")
    keys.to("main a[href='/me/records']").press().arrives("/me/records")
    keys.to(f"main a[href='/me/records/{number}']").press().arrives("/me/records/*")
    keys.to(f"main a[href='/me/orders/{number}']").press().arrives("/me/orders/*")
    story.balance(holder, "by keyboard: credited", {"total": total + 100})
