"""What every page must hold to, whatever it shows: light, quiet, readable, nothing from elsewhere."""

import os
import re
from urllib.parse import urlsplit

LANGUAGES = ("zh-CN", "en")
SCHEMES = ("light", "dark")
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 800}
# What a browser says of itself decides how it is led to pay.
PHONE_AGENT = "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/126.0.0.0 Mobile Safari/537.36"
DESK_AGENT = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/126.0.0.0 Safari/537.36"
WECHAT_AGENT = f"{PHONE_AGENT} MicroMessenger/8.0.49"
WIDTHS = (320, 390, 768, 1440)
MOST_REQUESTS = 6
MOST_BYTES = 30_000
HOST = "127.0.0.1"

BROWSER_ARGUMENTS = [
    # Only because tests may run as root, where the sandbox of the browser cannot.
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    f"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE {HOST}",
    "--force-color-profile=srgb",
    "--lang=zh-CN",
]


class Watch:
    """Listens to a page: console errors, requests to elsewhere, requests and bytes."""

    def __init__(self, page):
        self.errors = []
        self.foreign = []
        self.requests = 0
        self.bytes = 0
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", self._request)
        wire = page.context.new_cdp_session(page)
        wire.send("Network.enable")
        wire.on("Network.loadingFinished", self._finished)

    def _console(self, message):
        # A page that was answered with a refusal on purpose is reported by the browser as a failed resource.
        refused = "status of 4" in message.text and not urlsplit(message.location["url"]).path.startswith("/assets/")
        if message.type == "error" and not refused:
            self.errors.append(f"{message.text} at {message.location['url']}")

    def _request(self, request):
        self.requests += 1
        if urlsplit(request.url).hostname != HOST:
            self.foreign.append(request.url)

    def _finished(self, event):
        self.bytes += int(event["encodedDataLength"])


class Looker:
    """Opens an address as a first visit in every language and look, and checks it from all sides."""

    def __init__(self, browser, tally, axe_path, shots, base):
        with open(axe_path, encoding="utf-8") as file:
            self.axe = file.read()
        self.browser = browser
        self.tally = tally
        self.shots = shots
        self.base = base
        self.seen = set()
        if shots:
            os.makedirs(shots, exist_ok=True)

    def context(self, language, state=None, **more):
        """A fresh browser profile that speaks `language`, on a phone unless `more` says otherwise."""
        usual = {
            "locale": language,
            "timezone_id": "Asia/Shanghai",
            "viewport": PHONE,
            "user_agent": PHONE_AGENT,
            "color_scheme": "light",
            "reduced_motion": "reduce",
            "service_workers": "block",
            "storage_state": state,
        }
        context = self.browser.new_context(**{**usual, **more})
        context.add_cookies([{"name": "lang", "value": language, "url": self.base}])
        return context

    def look(self, name, address, state=None, **more):
        """Looks at the page at `address`, with the cookies of `state`."""
        self.seen.add(name)
        for language in LANGUAGES:
            context = self.context(language, state, **more)
            try:
                self._one(f"{name} {language}", context, address, language)
            finally:
                context.close()

    def _one(self, name, context, address, language):
        check = self.tally.check
        page = context.new_page()
        watch = Watch(page)
        page.goto(re.sub(r"\blang=[A-Za-z-]+", f"lang={language}", address), wait_until="load")
        check(f"{name}: at most {MOST_REQUESTS} requests", watch.requests <= MOST_REQUESTS, watch.requests)
        check(f"{name}: at most {MOST_BYTES} bytes", watch.bytes <= MOST_BYTES, watch.bytes)
        check(f"{name}: one heading", page.locator("h1").count() == 1, page.locator("h1").count())
        check(f"{name}: a title", page.title().strip() != "")
        spoken = page.locator("html").get_attribute("lang")
        check(f"{name}: its language is named", spoken == language, spoken)
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            self._axe(f"{name} {scheme}", page)
            self.shot(page, f"{name} {scheme}")
        self._widths(name, page)
        check(f"{name}: no console error", not watch.errors, watch.errors)
        check(f"{name}: nothing from another host", not watch.foreign, watch.foreign)

    def _axe(self, name, page):
        if not page.evaluate("!!window.axe"):
            page.evaluate(self.axe)
        found = page.evaluate("axe.run()")["violations"]
        seen = [(each["id"], [node["html"][:160] for node in each["nodes"]]) for each in found]
        self.tally.check(f"{name}: axe finds nothing", not found, seen)

    def _widths(self, name, page):
        page.emulate_media(color_scheme="light", reduced_motion="reduce")
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": PHONE["height"]})
            needed = page.evaluate("document.documentElement.scrollWidth")
            self.tally.check(f"{name}: no sideways scroll at {width}", needed <= width, needed)
            if width == WIDTHS[-1]:
                self.shot(page, f"{name} {width}")
        page.set_viewport_size(PHONE)
        page.evaluate("document.documentElement.style.fontSize = '200%'")
        needed = page.evaluate("document.documentElement.scrollWidth")
        self.tally.check(f"{name}: no sideways scroll with text twice as large", needed <= PHONE["width"], needed)
        self.shot(page, f"{name} large")

    def shot(self, page, name):
        """Keeps a picture of the whole page, if pictures are wanted."""
        if self.shots:
            page.screenshot(path=os.path.join(self.shots, name.replace(" ", "-") + ".png"), full_page=True)

    def keep(self, page, name):
        """Keeps picture and source of a page on which something went wrong."""
        if self.shots:
            self.shot(page, f"failed {name}")
            with open(os.path.join(self.shots, f"failed-{name}.html"), "w", encoding="utf-8") as file:
                file.write(page.content())
