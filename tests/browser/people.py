"""Who acts in the story: holders with their browsers, and the till with the cards that lie beside it."""

import re
from urllib.parse import urlsplit

from playwright.sync_api import expect

from checks import Watch

PASSWORD = "qiu-tian-7531"
PATIENCE_MILLISECONDS = 20_000
# Among the demo's people the one who has been here for weeks.
SETTLED = 3

WORDS = {
    "zh-CN": {
        "waiting": "已收到 ¥50.00，等待写入您的卡片",
        "way": "正在写入卡片，等待确认",
        "on_card": "¥50.00 已在您的卡上",
        "not_paid": "还没有收到付款",
        "pending": "¥50.00 待圈存",
        "late": "晚于订单有效期",
        "refunding": "正在原路退回",
        "refunded": "已原路退回",
        "silent": "没有打开",
        "needs_script": "脚本",
        "in": "收入",
        "out": "支出",
    },
    "en": {
        "waiting": "¥50.00 has arrived and waits for your card",
        "way": "is being written to your card",
        "on_card": "¥50.00 is on your card",
        "not_paid": "No payment has arrived yet",
        "pending": "¥50.00 waits for your card",
        "late": "after the order's time",
        "refunding": "on its way back",
        "refunded": "went back to where it came from",
        "silent": "did not open",
        "needs_script": "switch scripts on",
        "in": "In",
        "out": "Out",
    },
}


def arrive(page, path):
    """Waits until the page is at `path`, where `*` stands for one part. WeChat leaves a fragment in the address behind."""
    pattern = re.compile(path.replace("*", "[^/]+") + "$")
    page.wait_for_url(lambda address: pattern.match(urlsplit(address).path) is not None)


class Holder:
    """A person with a phone, in one language."""

    def __init__(self, story, number, language, **more):
        self.story = story
        self.number = number
        self.who = story.demo.people[number]
        self.words = WORDS[language]
        self.context = story.looker.context(language, **more)
        self.page = self.context.new_page()
        self.watch = Watch(self.page)

    def go(self, path):
        self.page.goto(self.story.demo.base + path)

    def state(self):
        return self.context.storage_state()

    def api(self, path):
        answer = self.context.request.get(self.story.demo.base + "/api/v1" + path)
        return answer.json()

    def sign_in(self, password):
        self.page.fill("#number", self.who["number"])
        self.page.fill("#password", password)
        self.page.click("main button.primary")

    def first_sign_in(self, clicks=1):
        """In with the first password, and at once a password of one's own, with so many clicks."""
        self.go("/sign-in")
        self.sign_in(self.who["initial_password"])
        arrive(self.page, "/password")
        self.change_password(clicks)

    def enter(self):
        """In, whether or not the first password was changed before."""
        if self.story.demo.everyone()[self.number]["initial_password"]:
            self.first_sign_in()
            return
        self.go("/sign-in")
        self.sign_in(PASSWORD)
        arrive(self.page, "/me")

    def fill_passwords(self, old, new):
        for field, text in (("#old", old), ("#new", new), ("#again", new)):
            self.page.fill(field, text)

    def change_password(self, clicks=1):
        """The first change. Of two clicks the browser drops the first; where both come, the second finds its session over."""
        self.fill_passwords(self.who["initial_password"], PASSWORD)
        self.page.click("main button.primary", click_count=clicks, no_wait_after=True)
        self.page.wait_for_url(lambda address: urlsplit(address).path in ("/me", "/sign-in"))
        if urlsplit(self.page.url).path == "/sign-in":
            self.story.tally.check("the first password changed twice: only after two clicks", clicks == 2)
            self.sign_in(PASSWORD)
        arrive(self.page, "/me")

    def order(self, amount="50.00"):
        """From the first page to the pay page of a new order; gives its number."""
        self.go("/me")
        self.page.click("a.primary[href='/me/topup']")
        arrive(self.page, "/me/topup")
        yuan = amount.removesuffix(".00")
        if self.page.locator(f"input[name=preset][value='{yuan}']").count():
            self.page.check(f"input[name=preset][value='{yuan}']")
        else:
            self.page.fill("#amount", amount)
        self.page.click("main button.primary")
        arrive(self.page, "/pay/*")
        return self.number_here()

    def number_here(self):
        """The number of the order whose page this is."""
        return urlsplit(self.page.url).path.rsplit("/", 1)[1]

    def pay(self):
        """From a phone's pay page over the sandbox's cashier to the tracker."""
        self.page.click("[data-testid=cashier]")
        self.page.click("button[value=pay]")
        arrive(self.page, "/me/orders/*")

    def sees(self, words, timeout=PATIENCE_MILLISECONDS, of="¥50.00"):
        """The tracker comes to say this, by itself."""
        said = self.words[words].replace("¥50.00", of)
        expect(self.page.locator("[data-testid=tracker]")).to_contain_text(said, timeout=timeout)
        self.story.tally.check(f"{self.who['number']} sees {words}", True)

    def until(self, what, ask, seconds=30):
        """Asks whenever the tracker on the page refreshes itself, until `ask` gives something; gives that."""
        for _ in range(seconds):
            found = ask()
            if found:
                return found
            # Once a second, later every five.
            with self.page.expect_response(lambda answer: urlsplit(answer.url).path.endswith("/status")):
                pass
        raise AssertionError(f"{what} did not come")

    def finish(self, name):
        self.story.tally.check(f"{name}: no console error", not self.watch.errors, self.watch.errors)
        self.story.tally.check(f"{name}: nothing from another host", not self.watch.foreign, self.watch.foreign)
        self.context.close()


class Till:
    """The virtual POS of the canteen, with the cards that lie beside it."""

    def __init__(self, story, language, **more):
        self.context = story.looker.context(language, **more)
        self.page = self.context.new_page()
        self.page.goto(story.demo.base + story.demo.pos)

    def keys(self, *names):
        """The clerk presses keys, one after the other."""
        for name in names:
            with self.page.expect_response(lambda answer: answer.url.endswith("/key")):
                self.page.click(f"button[name=key][value='{name}']")

    def takings(self, text):
        takings = self.page.locator("[data-testid=pos-takings]")
        expect(takings).to_contain_text(text, timeout=PATIENCE_MILLISECONDS)

    def sale(self, amount):
        self.page.fill("[data-testid=pos-amount]", amount)
        self.page.click("[data-testid=pos-ok]")
        self.shows(amount)

    def hold(self, card, pull_at=""):
        self.page.check(f"[data-testid=pos-card-{card}]", force=True)
        self.page.select_option("[data-testid=pos-pull-at]", pull_at)
        self.page.click("[data-testid=pos-hold]")
        # Whoever holds a card sees what the display says of it, wherever the button stands.
        expect(self.page.locator("[data-testid=pos-display]")).to_be_in_viewport(ratio=1)

    def pull(self):
        """Takes the card away, and waits until the display is ready for the next one: for a moment it ignores the same."""
        self.page.click("[data-testid=pos-pull]")
        self.lamp("off")

    def shows(self, text):
        expect(self.page.locator("[data-testid=pos-display]")).to_contain_text(text, timeout=PATIENCE_MILLISECONDS)

    def lamp(self, colour):
        lamp = self.page.locator("[data-testid=pos-lamp]")
        expect(lamp).to_have_attribute("data-lamp", colour, timeout=PATIENCE_MILLISECONDS)
