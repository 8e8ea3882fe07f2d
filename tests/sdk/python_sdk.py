"""`wechatpayv3` from PyPI against the sandbox, in public-key mode and in certificate mode.

The package is used as it comes. It hides the address of the platform, so the wire is bent below it: what it sends to
the platform's host goes to the sandbox.
"""

import datetime
import gzip
import hashlib
import json
import time
import urllib.parse
import uuid

import requests
from requests.adapters import HTTPAdapter
from wechatpayv3 import WeChatPay, WeChatPayType

GATEWAY = "https://api.mch.weixin.qq.com"
OPENID = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"
BEIJING = datetime.timezone(datetime.timedelta(hours=8))


def bend(address):
    """Sends whatever is meant for the platform to this address."""

    class Detour(HTTPAdapter):
        def send(self, request, **options):
            request.url = request.url.replace(GATEWAY, address, 1)
            return super().send(request, **options)

    plain = requests.Session.__init__

    def bent(session):
        plain(session)
        session.trust_env = False
        session.mount(GATEWAY, Detour())

    requests.Session.__init__ = bent


def client(sandbox, notices, public_key, serial=None):
    """The SDK as a merchant sets it up."""
    facts = sandbox.facts
    known = {"public_key": sandbox.secret("platform_public_key.pem"), "public_key_id": facts["platform_key_id"]}
    return WeChatPay(
        wechatpay_type=WeChatPayType.JSAPI,
        mchid=facts["mchid"],
        private_key=sandbox.secret("merchant_private_key.pem"),
        cert_serial_no=serial or facts["merchant_serial"],
        appid=facts["appid"],
        apiv3_key=sandbox.secret("apiv3_key.txt"),
        notify_url=notices.address,
        **(known if public_key else {}),
    )


def number(prefix):
    return prefix + uuid.uuid4().hex[:20]


def refused(call):
    """Whether a notice is turned down: with nothing, or with an error."""
    try:
        return not call()
    except Exception:
        return True


def code_of(answer):
    return json.loads(answer[1])["code"]


class Run:
    """One pass through everything, in one mode."""

    def __init__(self, tally, sandbox, notices, mode):
        self.tally, self.sandbox, self.notices, self.mode = tally, sandbox, notices, mode
        self.sdk = client(sandbox, notices, mode == "public key")

    def check(self, what, holds, seen=""):
        return self.tally.check(f"wechatpayv3, {self.mode}: {what}", holds, seen)

    def create(self, scene, **more):
        order = number("PY")
        answer = self.sdk.pay(
            description="校园卡充值", out_trade_no=order, amount={"total": 5000}, pay_type=scene, **more
        )
        return order, answer

    def all(self):
        self.scenes()
        self.payment()
        self.closing()
        self.refunding()
        self.mending()
        self.bills()
        self.strangers()

    def scenes(self):
        wap = {"payer_client_ip": "203.0.113.7", "h5_info": {"type": "Wap"}}
        for scene, member, more in (
            (WeChatPayType.JSAPI, "prepay_id", {"payer": {"openid": OPENID}}),
            (WeChatPayType.H5, "h5_url", {"scene_info": wap}),
            (WeChatPayType.NATIVE, "code_url", {}),
            (WeChatPayType.APP, "prepay_id", {}),
        ):
            order, (status, body) = self.create(scene, **more)
            self.check(f"{scene.name} is created", status == 200 and member in json.loads(body), body)
            status, body = self.sdk.query(out_trade_no=order)
            state = json.loads(body)
            self.check(f"{scene.name} waits for its payer", state.get("trade_state") == "NOTPAY", body)

    def payment(self):
        order, (_, body) = self.create(WeChatPayType.JSAPI, payer={"openid": OPENID}, attach="a=1")
        prepay = json.loads(body)["prepay_id"]
        self.check("the payment sheet takes the SDK's signature", self.sheet(prepay) == 200)
        self.check("the payment sheet refuses another", self.sheet(prepay, spoil=True) == 400)
        transaction = self.sandbox.pay(order)["transaction_id"]
        headers, body = self.notices.next()
        notice = self.sdk.callback(headers, body)
        self.check("the notice of payment is verified and opened", bool(notice), body)
        resource = notice["resource"]
        self.check("it tells of the payment", notice["event_type"] == "TRANSACTION.SUCCESS", notice)
        self.check("it names the order", resource["out_trade_no"] == order, resource)
        self.check("it names the payment", resource["transaction_id"] == transaction, resource)
        self.check("it has the amount", resource["amount"]["total"] == 5000, resource)
        self.check("a changed notice is refused", refused(lambda: self.sdk.callback(headers, body + b" ")))
        status, body = self.sdk.query(transaction_id=transaction)
        self.check("the payment is found by its number", status == 200 and json.loads(body) == resource, body)
        self.check("a paid order is not closed", code_of(self.sdk.close(order)) == "ORDERPAID")

        self.sandbox.switch("probe", "notices", scope="next")
        self.notices.status = 401
        order, _ = self.create(WeChatPayType.NATIVE)
        self.sandbox.pay(order)
        arrivals = [self.notices.next(), self.notices.next()]
        self.notices.status = 204
        verdicts = sorted(refused(lambda: self.sdk.callback(*one)) for one in arrivals)
        self.check("a probe is refused and the notice beside it is not", verdicts == [False, True], verdicts)

    def sheet(self, prepay, spoil=False):
        stamp, nonce, package = str(int(time.time())), uuid.uuid4().hex, f"prepay_id={prepay}"
        appid = self.sandbox.facts["appid"]
        sign = self.sdk.sign([appid, stamp, nonce, package])
        values = {
            "appId": appid,
            "timeStamp": stamp,
            "nonceStr": nonce + ("x" if spoil else ""),
            "package": package,
            "signType": "RSA",
            "paySign": sign,
        }
        return self.sandbox.page(f"/cashier/{prepay}?{urllib.parse.urlencode(values)}")

    def closing(self):
        order, _ = self.create(WeChatPayType.NATIVE)
        self.sandbox.pay(order, step="begin")
        self.check("a close is put off while the payer types", code_of(self.sdk.close(order)) == "USER_PAYING")
        self.sandbox.pay(order, step="stop")
        self.check("an open order is closed", self.sdk.close(order)[0] == 204)
        self.check("it stays closed", json.loads(self.sdk.query(out_trade_no=order)[1])["trade_state"] == "CLOSED")
        self.check("a second close is told so", code_of(self.sdk.close(order)) == "ORDER_CLOSED")
        self.check("an unknown order is told so", code_of(self.sdk.query(out_trade_no="PYNOTHING")) == "ORDER_NOT_EXIST")

    def refund(self, part, order, refund):
        amount = {"refund": part, "total": 5000, "currency": "CNY"}
        return self.sdk.refund(out_refund_no=refund, amount=amount, out_trade_no=order, reason="退卡")

    def paid(self, **more):
        order, _ = self.create(WeChatPayType.NATIVE)
        self.sandbox.pay(order, **more)
        self.notices.next()
        return order

    def refunding(self):
        order, refund = self.paid(), number("PYR")
        status, body = self.refund(2000, order, refund)
        told = json.loads(body)
        self.check("a refund is accepted", status == 200 and told["status"] == "PROCESSING", body)
        again = json.loads(self.refund(2000, order, refund)[1])
        self.check("the same number is the same refund", again["refund_id"] == told["refund_id"], again)
        other = self.refund(2001, order, refund)
        self.check("it is nothing else", (other[0], code_of(other)) == (400, "INVALID_REQUEST"), other)
        soon = self.refund(1000, order, refund + "B")
        self.check("parts are a minute apart", (soon[0], code_of(soon)) == (429, "FREQUENCY_LIMITED"), soon)
        self.sandbox.control("/control/refund", {"out_refund_no": refund, "outcome": "success"})
        notice = self.sdk.callback(*self.notices.next())
        self.check("the notice of the refund is verified and opened", bool(notice))
        self.check("it tells of its success", notice["event_type"] == "REFUND.SUCCESS", notice)
        self.check("it names the refund", notice["resource"]["out_refund_no"] == refund, notice)
        told = json.loads(self.sdk.query_refund(refund)[1])
        self.check("the refund has arrived", told["status"] == "SUCCESS" and "success_time" in told, told)
        state = json.loads(self.sdk.query(out_trade_no=order)[1])
        self.check("the order was refunded", state["trade_state"] == "REFUND", state)
        missing = self.sdk.query_refund("PYNOTHING")
        self.check("an unknown refund is told so", (missing[0], code_of(missing)) == (404, "RESOURCE_NOT_EXISTS"))

    def mending(self):
        order, refund = self.paid(), number("PYR")
        refund_id = json.loads(self.refund(5000, order, refund)[1])["refund_id"]
        self.sandbox.control("/control/refund", {"out_refund_no": refund, "outcome": "abnormal"})
        notice = self.sdk.callback(*self.notices.next())
        self.check("an abnormal refund is notified", notice["event_type"] == "REFUND.ABNORMAL", notice)
        card = {"bank_type": "ICBC_DEBIT", "bank_account": "6222020200112233445", "real_name": "张三"}
        status, body = self.sdk.abnormal_refund(refund_id, refund, "USER_BANK_CARD", **card)
        self.check("it is sent on another way", status == 200 and json.loads(body)["status"] == "PROCESSING", body)

    def bills(self):
        moment = datetime.datetime.now(BEIJING) - datetime.timedelta(days=2)
        order, date = self.paid(at=moment.isoformat(timespec="seconds")), moment.strftime("%Y-%m-%d")
        offers = (
            ("trade bill", self.sdk.trade_bill(date, "ALL", "GZIP"), "微信订单号"),
            ("trade bill of payments", self.sdk.trade_bill(date, "SUCCESS", "GZIP"), "微信订单号"),
            ("fund flow", self.sdk.fundflow_bill(date, "BASIC", "GZIP"), "资金流水单号"),
        )
        for name, (status, body), column in offers:
            if not self.check(f"the {name} is offered", status == 200, body):
                continue
            offer = json.loads(body)
            path = offer["download_url"].removeprefix(self.sandbox.address)
            status, packed = self.sdk.download_bill(path)
            self.check(f"the {name} is fetched", status == 200)
            plain = gzip.decompress(packed)
            self.check(f"the {name} has its hash", hashlib.sha1(plain).hexdigest() == offer["hash_value"])
            text = plain.decode("utf-8-sig")
            self.check(f"the {name} has the order", f"`{order}" in text and column in text.splitlines()[0], text)
        empty = self.sdk.trade_bill((moment - datetime.timedelta(days=30)).strftime("%Y-%m-%d"))
        self.check("a day without trades is told so", (empty[0], code_of(empty)) == (400, "NO_STATEMENT_EXIST"), empty)
        early = self.sdk.trade_bill(datetime.datetime.now(BEIJING).strftime("%Y-%m-%d"))
        self.check("today's bill is not there", (early[0], code_of(early)) == (400, "STATEMENT_CREATING"), early)

    def strangers(self):
        if self.mode == "public key":
            other = client(self.sandbox, self.notices, True, serial="5F" * 20)
            status, body = other.query(out_trade_no="PYNOTHING")
            self.check("an unknown serial is refused", (status, json.loads(body)["code"]) == (401, "SIGN_ERROR"), body)


def changing_keys(tally, sandbox, notices):
    """Keys that change under a running merchant."""
    check = lambda what, holds, seen="": tally.check(f"wechatpayv3, changing keys: {what}", holds, seen)
    sandbox.switch("keys", "certificate")
    sandbox.switch("certificates", "first")
    run = Run(tally, sandbox, notices, "certificate")
    first = {one.serial_number for one in run.sdk._core._certificates}
    sandbox.switch("certificates", "second_of_two")
    status, _ = run.sdk.query(out_trade_no=run.paid())
    check("an answer of a new certificate is verified after a refresh", status == 200, status)
    known = {one.serial_number for one in run.sdk._core._certificates}
    check("the refresh brought both", len(known) == 2 and first < known, known)

    for percent, what in ((0, "certificate"), (100, "public key")):
        sandbox.switch("keys", "both", percent=percent)
        sdk = client(sandbox, notices, True)
        order = number("PYK")
        status, body = sdk.pay(
            description="校园卡充值", out_trade_no=order, amount={"total": 100}, pay_type=WeChatPayType.NATIVE
        )
        check("answers follow the key of the request", status == 200, body)
        sandbox.pay(order)
        headers, body = notices.next()
        by_key = headers["wechatpay-serial"].startswith("PUB_KEY_ID_")
        check(f"the notice is signed with the {what}", by_key == (percent == 100), headers)
        check(f"and verified by a merchant who has both ({what})", bool(sdk.callback(headers, body)))


def everything(tally, sandbox, notices):
    bend(sandbox.address)
    sandbox.switch("keys", "public_key")
    Run(tally, sandbox, notices, "public key").all()
    sandbox.switch("keys", "certificate")
    Run(tally, sandbox, notices, "certificate").all()
    changing_keys(tally, sandbox, notices)
    sandbox.control("/control/reset", {})
