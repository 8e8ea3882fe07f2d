"""What a person sees when something behind the pages is gone: the platform stopped, the payment provider silent, the book brought
back from a backup."""

import os
import shutil
import subprocess
from pathlib import Path

from playwright.sync_api import expect

from book import ORDERED, ledger, paid, topped_up
from checks import LANGUAGES
from people import PASSWORD, PATIENCE_MILLISECONDS, SETTLED, Holder, arrive
from states import NOTHING_MOVED

# The first of the demo's people: with a card that nobody reports lost.
RESTORED = 0
# What lives outside the book: cards in people's hands, terminals on their walls, the provider.
WORLD = ("cards", "sandbox", "terminals/000001", "terminals/000002")
TRIES = 60


def outages(story):
    for language in LANGUAGES:
        stopped(story, language)
        silent(story, language)
    too_slow(story)


def stopped(story, language):
    """A tracker says that it shows what was last known, and catches up; what was typed is sent once the platform is back."""
    name, holder = f"stopped {language}", Holder(story, SETTLED, language)
    holder.enter()
    with ledger(story, name, topped_up(200), ORDERED):
        number = holder.order("2.00")
        holder.go(f"/me/orders/{number}")
        form = holder.context.new_page()
        form.goto(f"{story.demo.base}/me/topup")
        form.fill("#amount", "3.00")
        story.tally.same(f"{name}: it stops when asked", story.demo.stop(), 0)
        holder.page.bring_to_front()
        says = holder.page.locator("#offline")
        expect(says).to_have_text(says.get_attribute("data-says"), timeout=PATIENCE_MILLISECONDS)
        holder.sees("not_paid")
        with form.expect_event("requestfailed"):
            form.click("main button.primary", no_wait_after=True)
        story.demo.again()
        expect(says).to_have_text("", timeout=PATIENCE_MILLISECONDS)
        story.demo.payer(number)
        holder.sees("waiting", of="¥2.00")
        form.bring_to_front()
        form.goto(f"{story.demo.base}/me/topup")
        form.fill("#amount", "3.00")
        form.click("main button.primary")
        arrive(form, "/pay/*")
    # What the browser itself says of a server that is gone is no fault of the page.
    holder.watch.errors = [each for each in holder.watch.errors if "ERR_CONNECTION" not in each and "ERR_EMPTY" not in each]
    holder.finish(name)


def silent(story, language):
    """The provider takes no order: the page says so and that nothing was charged; tried again later, it goes on."""
    name, holder = f"provider silent {language}", Holder(story, SETTLED, language)
    page = holder.page
    holder.enter()
    with ledger(story, name, topped_up(200)):
        provider(story, "unavailable", "create")
        try:
            number = holder.order("2.00")
            expect(page.locator("main .note.warn[role=status]")).to_be_visible()
            story.tally.same(f"{name}: nothing to pay with yet", page.locator("[data-testid=cashier]").count(), 0)
            if language == LANGUAGES[0]:
                story.look("pay-later", page.url, holder.state())
        finally:
            provider(story, "normal")
        page.click(f"main a.primary[href='/pay/{number}']")
        page.wait_for_selector("[data-testid=cashier]")
        holder.pay()
        holder.sees("waiting", of="¥2.00")
    holder.finish(name)


def too_slow(story):
    """The provider never answers: the page says the same before it has taken too long itself."""
    holder = Holder(story, SETTLED, "zh-CN")
    page = holder.page
    holder.enter()
    with ledger(story, "provider too slow", ORDERED):
        provider(story, "timeout_before", "create")
        try:
            holder.order("2.00")
            expect(page.locator("main .note.warn[role=status]")).to_be_visible()
        finally:
            provider(story, "normal")
    holder.finish("provider too slow")


def provider(story, mode, call="all"):
    story.demo.control("/control/switch", {"switch": "answer", "mode": mode, "call": call})


def restored(story):
    """The book is brought back from a backup: everybody signs in again; until every open order was asked about, nobody tops up;
    what was paid after the backup is credited once the provider was asked."""
    holder = Holder(story, RESTORED, "zh-CN")
    page = holder.page
    holder.enter()
    number = holder.order("2.00")
    backup = f"{story.demo.folder}-backup"
    made = subprocess.run(
        [story.demo.binary, "backup", "--to", backup, "--data", story.demo.folder], capture_output=True, text=True
    )
    story.tally.check("restored: a backup beside the running server", made.returncode == 0, made.stdout + made.stderr)
    holder.pay()
    holder.sees("waiting", of="¥2.00")
    total = story.places(holder)["total"]
    page.goto("about:blank")
    provider(story, "unavailable", "query")
    back_from(story, backup)
    with ledger(story, "restored", paid(200), ORDERED):
        asked_again(story, holder, number)
    story.balance(holder, "restored: what was paid after the backup is credited", {"total": total})
    holder.finish("restored")


def back_from(story, backup):
    """The old folder is gone but for what is not the book's."""
    demo, old = story.demo, f"{story.demo.folder}-old"
    demo.stop()
    os.rename(demo.folder, old)
    done = subprocess.run(
        [demo.binary, "restore", "--from", backup, "--data", demo.folder], capture_output=True, text=True
    )
    story.tally.check("restored: it goes on in a new epoch", done.returncode == 0, done.stdout + done.stderr)
    for part in WORLD:
        shutil.move(Path(old) / part, Path(demo.folder) / part)
    shutil.rmtree(old)
    shutil.rmtree(backup)
    demo.again()


def asked_again(story, holder, number):
    page, holder.watch.refusal = holder.page, "status of (4|503)"
    holder.go("/me/topup")
    arrive(page, "/sign-in")
    expect(page.locator("main .note[role=status]")).to_be_visible()
    holder.sign_in(PASSWORD)
    arrive(page, "/me/topup")
    story.look("top-up-after-restore", page.url, holder.state(), act=refused_meanwhile)
    refused_meanwhile(page)
    said = page.locator("main").inner_text()
    story.tally.check("restored: says that nothing moved", NOTHING_MOVED["zh-CN"] in said, said)
    provider(story, "normal")
    holder.go(f"/me/orders/{number}")
    holder.sees("waiting", of="¥2.00")
    for _ in range(TRIES):
        holder.go("/me/topup")
        page.fill("#amount", "3.00")
        page.click("main button.primary")
        page.wait_for_selector("[data-testid=cashier], .fails")
        if page.locator("[data-testid=cashier]").count():
            break
    arrive(page, "/pay/*")


def refused_meanwhile(page):
    page.fill("#amount", "3.00")
    page.click("main button.primary")
    expect(page.locator(".fails")).to_be_visible()
