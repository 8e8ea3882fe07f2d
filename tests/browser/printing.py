"""What comes out of a printer: no navigation, black on white, the numbers that say what it is, as many pages as it needs."""

import re

from checks import LANGUAGES
from measure import Measure
from people import SETTLED, Holder

# A4 between its margins, in pixels of a style sheet.
PAPER = {"width": 688, "height": 980}
PAGE = re.compile(rb"/Type\s*/Page\b")
CONTROLS = "header, footer, form, button, select, .bar, .after, .filters, .skip, .pages, .acts, .turn, a.primary, a.secondary"
SHOWN = """selector => [...document.querySelectorAll(selector)]
  .filter(el => el.getClientRects().length > 0 && getComputedStyle(el).visibility !== 'hidden')
  .map(el => el.outerHTML.slice(0, 80))"""
# Pages are numbered by the style sheet alone.
NUMBERED = """[...document.styleSheets].some(sheet => [...sheet.cssRules].some(rule =>
  rule.constructor.name === 'CSSPageRule' && rule.cssText.includes('counter(page)') && rule.cssText.includes('counter(pages)')))"""
INK = "(() => { const of = getComputedStyle(document.body); return [of.color, of.backgroundColor]; })()"


def first_link(holder, page, selector, at=0):
    holder.go(page)
    return holder.page.locator(selector).nth(at).get_attribute("href")


def printed(story):
    """Statement, record, guide and what else people print, from a screen that is dark."""
    for language in LANGUAGES:
        holder = Holder(story, SETTLED, language)
        holder.enter()
        dark = {"name": "theme", "value": "dark", "url": story.demo.base}
        holder.context.add_cookies([dark])
        record = first_link(holder, "/me/records", "main .rows a")
        # A month that is over: its statement has its whole length, and a mark of what it was made of.
        statement = first_link(holder, "/me/statements", "main a[href^='/me/statements/']", 1)
        chapter = first_link(holder, "/help", "main li a[href^='/help/']")
        number, person = record.rsplit("/", 1)[1], holder.who["number"]
        hash = holder.api(f"/me/statements/{statement.rsplit('/', 1)[1]}")["hash"]
        for name, path, marks, most in (
            ("record", record, [number], 1),
            ("statement", statement, [hash, person[-4:]], None),
            ("guide-chapter", chapter, [], 1),
            ("guide-whole", "/help/all", [], None),
            ("records", "/me/records", [], None),
            ("home", "/me", [person], 2),
        ):
            on_paper(story, holder, f"print {name} {language}", path, marks, most)
        holder.finish(f"printed {language}")


def on_paper(story, holder, name, path, marks, most):
    page, check = holder.page, story.tally.check
    holder.go(path)
    page.emulate_media(media="print")
    page.set_viewport_size(PAPER)
    controls = page.evaluate(SHOWN, CONTROLS)
    check(f"{name}: nothing to press", not controls, controls)
    ink = page.evaluate(INK)
    check(f"{name}: black on white", ink == ["rgb(0, 0, 0)", "rgb(255, 255, 255)"], ink)
    said = page.locator("body").inner_text()
    missing = [mark for mark in marks if mark not in said]
    check(f"{name}: says what it is", not missing and page.locator("h1").count() == 1, missing)
    out = Measure(page).ready().overflow()
    check(f"{name}: nothing leaves the paper", not out, out)
    check(f"{name}: pages are numbered", page.evaluate(NUMBERED))
    story.looker.shot(page, name)
    pages = len(PAGE.findall(page.pdf(format="A4")))
    check(f"{name}: pages", 1 <= pages <= (most or pages), pages)
    page.emulate_media(media="screen")
