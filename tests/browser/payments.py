"""The ways to pay and the ways that money takes when something is unusual: inside WeChat, from a phone's browser, by a code
on another screen; too late; twice; and back again."""

import io
import re
from datetime import datetime, timezone
from urllib.parse import urlsplit

import zxingcpp
from PIL import Image
from playwright.sync_api import expect

from book import ORDERED, ledger, paid, paid_again, returned, topped_up
from checks import DESK, DESK_AGENT, LANGUAGES, WECHAT_AGENT
from people import PASSWORD, PATIENCE_MILLISECONDS, Holder, arrive

# What WeChat puts into its pages, as far as a page of ours can tell.
BRIDGE = """(() => {
  const bridge = { invoke(name, wish, tell) {
    sessionStorage.setItem('asked', JSON.stringify([name, wish]));
    tell({ err_msg: 'get_brand_wcpay_request:RESULT' });
  } };
  window.come = () => {
    window.WeixinJSBridge = bridge;
    document.dispatchEvent(new Event('WeixinJSBridgeReady'));
  };
  if ('WHEN' === 'at once') window.WeixinJSBridge = bridge;
  if ('WHEN' === 'late') window.addEventListener('load', window.come);
})()"""
# The round in which the payment is made.
PAID = ("ok", "at once")
WISHES = {"appId", "timeStamp", "nonceStr", "package", "signType", "paySign"}
# After the last moment to pay the provider is asked within a minute; the order then counts as expired.
EXPIRED_SECONDS = 150


def in_wechat(story, language, result, when):
    """Somebody inside WeChat, signed in, on the way to pay one yuan."""
    holder = Holder(story, 1, language, user_agent=WECHAT_AGENT)
    holder.context.add_init_script(BRIDGE.replace("RESULT", result).replace("WHEN", when))
    # WeChat says who pays, so the first visit of a session goes over its own page.
    holder.go("/me/topup")
    holder.sign_in(PASSWORD)
    arrive(holder.page, "/me/topup")
    holder.page.fill("#amount", "1.00")
    holder.page.click("main button.primary")
    return holder


def asked_rightly(story, holder, name):
    """The bridge was asked for a payment, with everything that it needs."""
    call, wish = holder.page.evaluate("JSON.parse(sessionStorage.getItem('asked'))")
    story.tally.check(f"{name}: asked for a payment", call == "getBrandWCPayRequest", call)
    story.tally.check(f"{name}: six values", set(wish) == WISHES and all(wish.values()), wish)


def inside_wechat(story):
    """Whatever the bridge says, and whenever it comes, the tracker is next and tells the truth."""
    known = Holder(story, 1, "zh-CN")
    known.enter()
    known.finish("known here before")
    # What the bridge says is no text of ours: one language hears each word, both are paid.
    zh, en = LANGUAGES
    rounds = [(*PAID, zh), (*PAID, en), ("ok", "late", zh), ("cancel", "late", en), ("fail", "at once", zh)]
    for result, when, language in rounds:
        name = f"bridge {result} {when} {language}"
        with ledger(story, name, topped_up(100) if (result, when) == PAID else ORDERED):
            by_bridge(story, name, result, when, language)
    for language in LANGUAGES:
        with ledger(story, f"bridge never ready {language}", ORDERED):
            bridge_never_ready(story, language)


def by_bridge(story, name, result, when, language):
    """The bridge says this; in one round the payment is made, and credited once it is known."""
    holder = in_wechat(story, language, result, when)
    arrive(holder.page, "/me/orders/*")
    number = holder.number_here()
    holder.sees("not_paid")
    asked_rightly(story, holder, name)
    before, there = story.places(holder), story.demo.there(number)
    story.tally.check(f"{name}: an order of WeChat's own pages", there["trade_type"] == "JSAPI", there)
    place = holder.api(f"/me/orders/{number}")["place"]
    story.tally.check(f"{name}: its word proves nothing", (place, there["state"]) == ("not_paid", "NOTPAY"), place)
    expect(holder.page.locator(f"main a[href='/pay/{number}']")).to_be_visible()
    if (result, when) == PAID:
        story.demo.payer(number)
        holder.sees("waiting", of="¥1.00")
        story.balance(holder, f"{name}: credited when it is paid", {"total": before["total"] + 100})
    else:
        story.balance(holder, f"{name}: nothing is credited", before)
    holder.finish(name)


def bridge_never_ready(story, language):
    """The page says that nothing opened; the button tries again."""
    name = f"bridge never ready {language}"
    holder = in_wechat(story, language, "ok", "when called")
    arrive(holder.page, "/pay/*")
    says, address = holder.page.locator("#bridge-says"), holder.page.url
    waiting, silent = says.get_attribute("data-waiting"), re.compile(holder.words["silent"])
    expect(says).to_have_text(waiting)
    expect(says).to_have_text(silent, timeout=PATIENCE_MILLISECONDS)
    story.looker.shot(holder.page, f"pay inside wechat silent {language}")
    if language == LANGUAGES[0]:
        story.look("pay-inside-wechat", address, holder.state(), user_agent=WECHAT_AGENT)
    holder.page.click("#bridge")
    expect(says).to_have_text(waiting)
    if language == LANGUAGES[0]:
        expect(says).to_have_text(silent, timeout=PATIENCE_MILLISECONDS)
    holder.page.evaluate("window.come()")
    arrive(holder.page, "/me/orders/*")
    holder.sees("not_paid")
    asked_rightly(story, holder, name)
    holder.finish(name)


def by_address(story):
    """A phone's browser: the link opens the cashier; who cancels there can pay later; who pays comes back to the tracker."""
    for language in LANGUAGES:
        holder = Holder(story, 0, language)
        page = holder.page
        holder.enter()
        total = story.places(holder)["total"]
        with ledger(story, f"by address {language}", topped_up(200)):
            number = holder.order("2.00")
            there = story.demo.there(number)
            story.tally.check(f"by address {language}: an order for browsers", there["trade_type"] == "MWEB", there)
            page.click("[data-testid=cashier]")
            arrive(page, "/cashier/*")
            page.click("button[value=cancel]")
            arrive(page, "/me/orders/*")
            holder.sees("not_paid")
            page.click(f"main a[href='/pay/{number}']")
            arrive(page, "/pay/*")
            holder.pay()
            holder.sees("waiting", of="¥2.00")
        story.balance(holder, f"by address {language}: credited once", {"total": total + 200})
        holder.finish(f"by address {language}")


def scanned(element):
    """The text of the code that is drawn here, as a camera reads it."""
    picture = Image.open(io.BytesIO(element.screenshot())).convert("L")
    return [code.text for code in zxingcpp.read_barcodes(picture)]


def by_code(story):
    """Another screen: its code is the provider's; a phone scans it and pays; the screen goes on by itself."""
    for language in LANGUAGES:
        name = f"by code {language}"
        holder = Holder(story, 0, language, user_agent=DESK_AGENT, viewport=DESK)
        page = holder.page
        holder.enter()
        total = story.places(holder)["total"]
        with ledger(story, name, topped_up(300)):
            number = holder.order("3.00")
            there = story.demo.there(number)
            story.tally.check(f"{name}: an order to be scanned", there["trade_type"] == "NATIVE", there)
            for scheme in ("light", "dark"):
                page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
                read = scanned(page.locator(".qr"))
                story.tally.check(f"{name}: a camera reads it, {scheme}", read == [there["code_url"]], (read, there))
            page.emulate_media(color_scheme="light", reduced_motion="reduce")
            story.looker.shot(page, f"pay by code desk {language}")
            if language == LANGUAGES[0]:
                story.look("pay-by-code", page.url, holder.state(), user_agent=DESK_AGENT)
            with page.expect_popup() as opened:
                page.click("[data-testid=cashier]")
            phone = opened.value
            phone.wait_for_url(lambda address: urlsplit(address).path.startswith("/cashier/"))
            story.tally.check(f"{name}: still there before it is paid", urlsplit(page.url).path == f"/pay/{number}", page.url)
            phone.click("button[value=pay]")
            arrive(page, "/me/orders/*")
            holder.sees("waiting", of="¥3.00")
        story.balance(holder, f"{name}: credited once", {"total": total + 300})
        holder.finish(name)


def late_begun(story):
    """Somebody begins to type a password at the provider, and puts the phone down."""
    holder = Holder(story, 2, "en")
    holder.enter()
    with ledger(story, "late begun", ORDERED):
        number = holder.order("8.00")
        story.demo.payer(number, "begin")
    expires_at = holder.api(f"/me/orders/{number}")["expires_at"]
    story.expiring = number, datetime.fromisoformat(expires_at)
    holder.finish("late begun")


def late(story):
    """The order is over here, and then it is paid: the money is credited, and the holder is told that it came late."""
    if not story.expiring:
        late_begun(story)
    number, expires_at = story.expiring
    holder = Holder(story, 2, "zh-CN")
    holder.enter()
    tracker = f"/me/orders/{number}"
    holder.go(tracker)
    left = (expires_at - datetime.now(timezone.utc)).total_seconds()
    ask = lambda: holder.api(f"/me/orders/{number}")["state"] == "expired"
    holder.until("the order's end", ask, EXPIRED_SECONDS + max(0, int(left)))
    story.look("order-expired", story.demo.base + tracker, holder.state())
    before = story.places(holder)
    with ledger(story, "late", paid(800)):
        story.demo.payer(number)
        holder.sees("waiting", of="¥8.00")
        holder.sees("late")
    story.balance(holder, "late: credited all the same", {"total": before["total"] + 800})
    story.look("order-late", story.demo.base + tracker, holder.state())
    english = Holder(story, 2, "en", state=holder.state())
    english.go(tracker)
    english.sees("late")
    english.finish("late en")
    holder.finish("late")


def paid_twice(story):
    """A wallet pays the same order again: that payment goes back by itself, all of it, and nothing else changes."""
    holder = Holder(story, 0, "zh-CN")
    holder.enter()
    with ledger(story, "paid twice", topped_up(400), paid_again()):
        number = holder.order("4.00")
        holder.pay()
        holder.sees("waiting", of="¥4.00")
        before, records = story.places(holder), holder.api("/me/records")["records"]
        story.demo.payer(number, "again")
        # The tracker tells of it without being asked.
        row = holder.page.locator("[data-testid=refund]")
        expect(row).to_contain_text("¥4.00", timeout=PATIENCE_MILLISECONDS)
        story.looker.shot(holder.page, "order paid twice going back")
        refund = holder.until("the refund", lambda: story.demo.there(number)["refunds"])[0]
        there = story.demo.there(number)
        (second,) = {payment["transaction_id"] for payment in there["payments"]} - {there["transaction_id"]}
        right = (second, 400) == (refund["transaction_id"], refund["amount_fen"])
        story.tally.check("paid twice: the second payment goes back, all of it", right, refund)
        story.look("order-paid-twice", holder.page.url, holder.state())
        story.demo.money_back(refund["out_refund_no"])
        told = lambda: holder.api(f"/me/orders/{number}")["refunds"][0]["state"] == "refunded"
        holder.until("the refund's end", told)
        expect(row).to_contain_text("重复付款已退回", timeout=PATIENCE_MILLISECONDS)
        status = story.demo.there(number)["refunds"][0]["status"]
        story.tally.check("paid twice: the provider gave it back", status == "SUCCESS", status)
    story.balance(holder, "paid twice: the first payment is untouched", before)
    fresh = [each for each in holder.api("/me/records")["records"] if each not in records]
    right = [(each["kind"], each["amount_fen"], each["state"]) for each in fresh] == [("refund", 400, "refunded")]
    story.tally.check("paid twice: one more record, the refund", right, fresh)
    story.look("order-paid-twice-ended", holder.page.url, holder.state())
    story.look("record-paid-twice", f"{story.demo.base}/me/records/{refund['out_refund_no']}", holder.state())
    story.look("records-with-refund", story.demo.base + "/me/records", holder.state())
    story.look("home-paid-twice", story.demo.base + "/me", holder.state())
    holder.page.goto("about:blank")
    code, said = story.demo.command("cases", "--all")
    told = code == 0 and "PAY_TWICE" in said and number in said and "ended" in said
    story.tally.check("paid twice: a case tells of it, and has ended", told, said)
    holder.finish("paid twice")


def refunded_by_hand(story):
    """A clerk gives a top-up back: it leaves the holder at once, and the provider brings it to the payer."""
    demo, look = story.demo, story.look
    holder = Holder(story, 0, "zh-CN")
    holder.enter()
    before = story.places(holder)
    with ledger(story, "refunded by hand", topped_up(600), returned(600)):
        number = holder.order("6.00")
        holder.pay()
        holder.sees("waiting", of="¥6.00")
        tracker = holder.page.url
        holder.page.goto("about:blank")
        words = ("refund", "--order", number, "--reason", "误充", "--by", "财务 林老师")
        # Both while it is stopped: were it stopped while it sends the refund, it would wait a minute until it asks about it.
        (code, said), (again, refused) = demo.commands(words, words)
        story.tally.check("by hand: made once, then refused", (code, again) == (0, 1), (said, refused))
        holder.page.goto(tracker)
        holder.sees("refunding")
        refund = holder.until("the refund", lambda: demo.there(number)["refunds"])
        right = len(refund) == 1 and refund[0]["amount_fen"] == 600 and refund[0]["out_refund_no"] in said
        story.tally.check("by hand: one refund at the provider", right, (refund, said))
        story.balance(holder, "by hand: held, not spendable", {"waiting": before["waiting"], "total": before["total"] + 600})
        look("order-refunding", holder.page.url, holder.state())
        look("home-refunding", demo.base + "/me", holder.state())
        demo.money_back(refund[0]["out_refund_no"])
        holder.sees("refunded")
    story.balance(holder, "by hand: gone", before)
    look("order-refunded", holder.page.url, holder.state())
    look("record-refund", f"{demo.base}/me/records/{refund[0]['out_refund_no']}", holder.state())
    status = demo.there(number)["refunds"][0]["status"]
    story.tally.check("by hand: the provider gave it back", status == "SUCCESS", status)
    english = Holder(story, 0, "en", state=holder.state())
    english.go(f"/me/orders/{number}")
    english.sees("refunded")
    english.finish("refunded by hand en")
    holder.finish("refunded by hand")
