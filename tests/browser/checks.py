"""What every page must hold to, whatever it shows: light, quiet, readable, nothing from elsewhere."""

import os
import re
from urllib.parse import urlsplit

from measure import Measure

LANGUAGES = ("zh-CN", "en")
SCHEMES = ("light", "dark")
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 800}
# What a browser says of itself decides how it is led to pay.
PHONE_AGENT = "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/126.0.0.0 Mobile Safari/537.36"
DESK_AGENT = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/126.0.0.0 Safari/537.36"
WECHAT_AGENT = f"{PHONE_AGENT} MicroMessenger/8.0.49"
SIZES = {"phone": PHONE, "desk": DESK}
# What passes need not be told: that takes axe three times as long.
AXE = "axe.run({ resultTypes: ['violations'] }).then(found => found.violations)"
WIDTHS = (320, 390, 768, 1440)
# Where larger or longer text has least room.
TEXT_WIDTHS = (320, 390)
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
        self.wire = wire
        # What the browser says of an answer that refuses.
        self.refusal = "status of 4"

    def begin(self):
        """Counts anew, as for a first visit; what went wrong stays."""
        self.wire.send("Network.setCacheDisabled", {"cacheDisabled": True})
        self.requests = 0
        self.bytes = 0

    def _console(self, message):
        # A page that was answered with a refusal on purpose is reported by the browser as a failed resource.
        refused = re.search(self.refusal, message.text) and not urlsplit(message.location["url"]).path.startswith("/assets/")
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

    def __init__(self, browser, tally, axe_path, shots, kept, base):
        with open(axe_path, encoding="utf-8") as file:
            self.axe = file.read()
        self.browser = browser
        self.tally = tally
        self.shots = shots
        self.kept = kept
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

    def look(self, name, address, state=None, act=None, lands=None, **more):
        """Looks at the page at `address`, with the cookies of `state`; it is the one at `lands` that is shown, if that is
        another; `act` brings it to what is looked at."""
        lands = lands or urlsplit(address).path
        self.seen.add(name)
        # One browser changes its language: not where what is done to the page may spoil it, nor at another's pages, which take
        # the language that a browser asks for.
        ours = address.startswith(self.base) and not act
        shared = self._opened(LANGUAGES[0], state, more) if ours else None
        for language in LANGUAGES:
            page, watch = shared or self._opened(language, state, more)
            context = page.context
            try:
                if shared:
                    self._speak(page, language, state)
                self._one(f"{name} {language}", page, watch, address, language, act, lands)
            except Exception:
                for each in context.pages:
                    self.keep(each, f"{name} {language}")
                context.close()
                raise
            if not shared or language == LANGUAGES[-1]:
                context.close()

    def _opened(self, language, state, more):
        page = self.context(language, state, **more).new_page()
        return page, Watch(page)

    def _speak(self, page, language, state):
        """As if it were new, in this language: what it remembers is what it began with."""
        page.context.clear_cookies()
        page.context.add_cookies([*(state or {"cookies": []})["cookies"]])
        page.context.add_cookies([{"name": "lang", "value": language, "url": self.base}])
        page.set_viewport_size(PHONE)
        page.emulate_media(color_scheme="light", reduced_motion="reduce")

    def _one(self, name, page, watch, address, language, act, lands):
        check = self.tally.check
        failed = self.tally.failed
        watch.begin()
        page.goto(re.sub(r"\blang=[A-Za-z-]+", f"lang={language}", address), wait_until="load")
        check(f"{name}: at most {MOST_REQUESTS} requests", watch.requests <= MOST_REQUESTS, watch.requests)
        check(f"{name}: at most {MOST_BYTES} bytes", watch.bytes <= MOST_BYTES, watch.bytes)
        check(f"{name}: is the page that was asked for", urlsplit(page.url).path == lands, page.url)
        if act:
            watch.refusal = "status of (4|503)"
            act(page)
        check(f"{name}: one heading", page.locator("h1").count() == 1, page.locator("h1").count())
        check(f"{name}: a title", page.title().strip() != "")
        spoken = page.locator("html").get_attribute("lang")
        check(f"{name}: its language is named", spoken == language, spoken)
        measure = Measure(page).ready()
        strange = measure.foreign(language)
        check(f"{name}: no words of the other language", not strange, strange)
        unnamed = measure.unnamed()
        check(f"{name}: every control has a name", not unnamed, unnamed)
        for size, viewport in SIZES.items():
            page.set_viewport_size(viewport)
            astray = measure.edges()
            check(f"{name} {size}: way back and wide button keep to the column", not astray, astray)
            for scheme in SCHEMES:
                page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
                self._axe(f"{name} {size} {scheme}", page)
                self.shot(page, f"{name} {size} {scheme}")
        self._widths(name, page, measure)
        self._keyboard(name, page, measure)
        if self.tally.failed > failed:
            self.keep(page, name)
        self._lengthened(name, page, measure)
        check(f"{name}: no console error", not watch.errors, watch.errors)
        check(f"{name}: nothing from another host", not watch.foreign, watch.foreign)

    def _axe(self, name, page):
        if not page.evaluate("!!window.axe"):
            page.evaluate(self.axe)
        found = page.evaluate(AXE)
        seen = [(each["id"], [node["html"][:160] for node in each["nodes"]]) for each in found]
        self.tally.check(f"{name}: axe finds nothing", not found, seen)

    def _fits(self, name, page, measure, width):
        """Nothing is wider than the screen, sticks out of its box or is cut; no amount breaks."""
        page.set_viewport_size({"width": width, "height": PHONE["height"]})
        needed = page.evaluate("document.documentElement.scrollWidth")
        self.tally.check(f"{name} {width}: no sideways scroll", needed <= width, needed)
        out = measure.overflow()
        self.tally.check(f"{name} {width}: nothing sticks out", not out, out)
        broken = measure.broken()
        self.tally.check(f"{name} {width}: no amount breaks", not broken, broken)

    def _widths(self, name, page, measure):
        page.emulate_media(color_scheme="light", reduced_motion="reduce")
        for width in WIDTHS:
            self._fits(name, page, measure, width)
            if width == WIDTHS[0]:
                self.shot(page, f"{name} {width}")
        page.evaluate("document.documentElement.style.fontSize = '200%'")
        for width in TEXT_WIDTHS:
            self._fits(f"{name} text twice as large", page, measure, width)
            self.shot(page, f"{name} large {width}")
        page.evaluate("document.documentElement.style.fontSize = ''")

    def _keyboard(self, name, page, measure):
        """From the top to the bottom with Tab, in each language."""
        page.set_viewport_size(PHONE)
        wrong = measure.walk()
        self.tally.check(f"{name}: Tab reaches everything, in order, with a ring, uncovered", not wrong, wrong)

    def _lengthened(self, name, page, measure):
        """With every text longer by two fifths, as a language yet to come would have it. The page is spoilt afterwards."""
        measure.lengthen()
        for width in TEXT_WIDTHS:
            self._fits(f"{name} lengthened", page, measure, width)
        self.shot(page, f"{name} lengthened")

    def shot(self, page, name):
        """Keeps a picture of the whole page, if pictures are wanted."""
        if self.shots:
            page.screenshot(path=os.path.join(self.shots, name.replace(" ", "-") + ".png"), full_page=True)

    def keep(self, page, name):
        """Keeps picture and source of a page on which something went wrong."""
        os.makedirs(self.kept, exist_ok=True)
        path = os.path.join(self.kept, name.replace(" ", "-"))
        page.screenshot(path=path + ".png", full_page=True)
        with open(path + ".html", "w", encoding="utf-8") as file:
            file.write(page.content())
