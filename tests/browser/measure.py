"""What is measured inside a page: nothing sticks out, amounts stay whole, the words are of one language, every control has a
name and is reached by the keyboard. Each measure gives what it found wrong, worst first; nothing found is right."""

import re

# Whatever is read below is on the screen: hidden parts and those for screen readers alone have no place to stick out of.
TOOLS = """(() => {
  const silent = '.unseen, .hidden, .skip, script, style, noscript, template, select';
  const shown = el => {
    const style = getComputedStyle(el);
    // What is folded away has boxes all the same.
    if (el.checkVisibility && !el.checkVisibility()) return false;
    return style.visibility !== 'hidden' && style.display !== 'none' && el.getClientRects().length > 0;
  };
  const texts = () => {
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const found = [];
    while (walker.nextNode()) {
      const node = walker.currentNode, el = node.parentElement;
      const head = el.closest('thead');
      // A table that became a list keeps its head for those who hear it.
      if (head && getComputedStyle(head).clip !== 'auto') continue;
      if (node.data.trim() && !el.closest(silent) && shown(el)) found.push(node);
    }
    return found;
  };
  const rects = node => {
    const range = document.createRange();
    range.selectNodeContents(node);
    return [...range.getClientRects()].filter(rect => rect.width > 0);
  };
  const scrolls = el => {
    for (; el && el !== document.body; el = el.parentElement) {
      if (['auto', 'scroll'].includes(getComputedStyle(el).overflowX)) return true;
    }
    return false;
  };
  const box = 'a, button, label, li, p, dt, dd, td, th, h1, h2, h3, figcaption, section, div, main, body';
  window.measured = {
    // Text beyond the screen or beyond the box that it stands in, and boxes that cut what is in them.
    overflow() {
      const wrong = [];
      for (const node of texts()) {
        if (scrolls(node.parentElement)) continue;
        const around = node.parentElement.closest(box).getBoundingClientRect();
        const right = Math.min(window.innerWidth, around.right) + 1.5, left = Math.max(0, around.left) - 1.5;
        const out = rects(node).find(rect => rect.right > right || rect.left < left);
        if (out) wrong.push(`${node.data.trim().slice(0, 40)} ends at ${Math.round(out.right)} of ${Math.round(right)}`);
      }
      for (const el of document.body.querySelectorAll('*')) {
        if (el.closest(silent + ', svg') || !shown(el) || el.clientWidth <= 1) continue;
        if (getComputedStyle(el).overflowX === 'hidden' && el.scrollWidth > el.clientWidth + 1) wrong.push(`${el.className} cuts`);
      }
      return wrong.slice(0, 5);
    },
    // The way back, and a form's button of full width, that stand elsewhere than the column of the page.
    edges() {
      const main = document.querySelector('main'), back = document.querySelector('header.top > .back'), wrong = [];
      if (!main) return wrong;
      const style = getComputedStyle(main), around = main.getBoundingClientRect();
      const left = around.left + parseFloat(style.paddingLeft), right = around.right - parseFloat(style.paddingRight);
      // Its arrow has air around it.
      const off = back ? back.getBoundingClientRect().left - left : 0;
      if (Math.abs(off) > 8) wrong.push(`the way back is ${Math.round(off)} px off`);
      for (const el of main.querySelectorAll(':scope > form.bar > .secondary')) {
        const short = right - el.getBoundingClientRect().right;
        if (shown(el) && Math.abs(short) > 1) wrong.push(`${el.textContent.trim()} ends ${Math.round(short)} px early`);
      }
      return wrong;
    },
    // An amount never breaks, and its sign never stands alone.
    broken() {
      const lines = el => new Set(rects(el).map(rect => Math.round(rect.top / 4))).size;
      return [...document.querySelectorAll('.money, .figure, .face-sum')]
        .filter(el => shown(el) && !el.querySelector('*') && lines(el) > 1).map(el => el.textContent).slice(0, 5);
    },
    // Everything that is read or heard, but what is marked as another language or as nobody's to translate.
    words() {
      const lang = document.documentElement.lang;
      const ours = el => { const mark = el.closest('[lang]'); return (!mark || mark.lang === lang) && !el.closest('[translate=no]'); };
      const found = texts().filter(node => ours(node.parentElement)).map(node => node.data.trim());
      for (const el of document.querySelectorAll('[aria-label], [title], [alt], [placeholder]')) {
        if (!ours(el)) continue;
        for (const name of ['aria-label', 'title', 'alt', 'placeholder']) if (el.getAttribute(name)) found.push(el.getAttribute(name));
      }
      return found.concat(document.title);
    },
    // Every text that could be another language's becomes two fifths longer, as German or Uyghur would.
    lengthen() {
      for (const node of texts()) {
        if (node.parentElement.closest('.money, .digits, [translate=no], [aria-hidden=true], svg')) continue;
        const text = node.data.trim(), wanted = Math.ceil(text.length * 0.4);
        const spare = /\\s/.test(text) ? text.split(/\\s+/).reduce((all, word) => all.length < wanted ? all + ' ' + word : all, '')
          : text.slice(0, wanted);
        node.data = node.data.replace(/\\s*$/, '') + spare;
      }
    },
    // What Tab should reach, in the order in which it is read; of the radio buttons of one name the first.
    stops() {
      const names = new Set();
      return [...document.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex="0"]')].filter(el => {
        if (el.disabled || el.type === 'hidden' || !shown(el) || el.tabIndex < 0) return false;
        if (el.type !== 'radio') return true;
        const seen = names.has(el.name);
        names.add(el.name);
        return !seen;
      });
    },
    // Where the focus is: its place among the stops, whether a ring is drawn, and whether anything covers it.
    focus() {
      const el = document.activeElement;
      if (!el || el === document.body) return null;
      const ring = [el, el.nextElementSibling].some(each => {
        if (!each) return false;
        const style = getComputedStyle(each);
        return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
      });
      const rect = el.getBoundingClientRect();
      const top = document.elementFromPoint(rect.left + rect.width / 2, rect.top + Math.min(rect.height / 2, 20));
      const seen = !!top && (el.contains(top) || top.contains(el) || (el.labels && [...el.labels].some(each => each.contains(top))));
      const stops = window.measured.stops();
      const at = stops.findIndex(each => each === el || (el.type === 'radio' && each.type === 'radio' && each.name === el.name));
      return { at, of: stops.length, ring, seen, what: el.outerHTML.slice(0, 120) };
    },
  };
})()"""
HAN = re.compile("[\u4e00-\u9fff\u3400-\u4dbf]")
# A name of which only the ends are shown is nobody's to translate.
MASKED = re.compile("[\u4e00-\u9fff·]\\*+[\u4e00-\u9fff]?")
# What people typed in the story stays as they typed it.
TYPED = ("误充",)
# Three English words in a row are a sentence or a part of one; fewer are names such as those of a provider.
ENGLISH = re.compile(r"\b[A-Za-z]{2,}(?:[ ,]+[A-Za-z]{2,}){2,}")
UNNAMED = re.compile(r'^\s*- (?:button|link|textbox|radio|checkbox|combobox|switch|slider|spinbutton|img)(?! ")', re.MULTILINE)
# More stops than any page has.
MOST_STOPS = 120


class Measure:
    """Measures one page."""

    def __init__(self, page):
        self.page = page

    def ready(self):
        if not self.page.evaluate("!!window.measured"):
            self.page.evaluate(TOOLS)
        return self

    def ask(self, what):
        return self.page.evaluate(f"window.measured.{what}()")

    def overflow(self):
        return self.ask("overflow")

    def broken(self):
        return self.ask("broken")

    def edges(self):
        return self.ask("edges")

    def foreign(self, language):
        """Sentences of the other language."""
        strange = HAN if language == "en" else ENGLISH
        said = [text for text in self.ask("words") if text not in TYPED]
        return [text for text in said if strange.search(MASKED.sub("", text))][:5]

    def unnamed(self):
        """Controls and pictures that a screen reader could not call by a name."""
        return UNNAMED.findall(self.page.locator("body").aria_snapshot())

    def lengthen(self):
        self.ask("lengthen")

    def walk(self):
        """Tabs from the top through the whole page and out of it; gives what went wrong on the way."""
        page, wrong, last = self.page, [], -1
        page.evaluate("document.activeElement.blur(); window.scrollTo(0, 0); window.getSelection().removeAllRanges()")
        stops = page.evaluate("window.measured.stops().length")
        for _ in range(MOST_STOPS):
            page.keyboard.press("Tab")
            here = self.ask("focus")
            if here is None or here["at"] == 0 and last > 0:
                break
            if here["at"] < 0:
                # What scrolls by itself can be reached too, to be scrolled with the arrows.
                continue
            if here["at"] < last:
                wrong.append(f"out of order: {here['what']}")
            if not here["ring"]:
                wrong.append(f"no ring: {here['what']}")
            if not here["seen"]:
                wrong.append(f"covered: {here['what']}")
            if here["at"] == last:
                wrong.append(f"trapped: {here['what']}")
                break
            last = here["at"]
        if last != stops - 1:
            wrong.append(f"{last + 1} of {stops} reached")
        return wrong[:5]
