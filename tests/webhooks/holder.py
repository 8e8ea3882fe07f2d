"""A holder who tops up, over plain HTTP with the forms of the pages."""

import html
import http.cookiejar
import json
import re
import urllib.parse
import urllib.request
import uuid

PASSWORD = "qiu-tian-7531"


class Holder:
    def __init__(self, demo, who):
        self.demo = demo
        self.who = who
        jar = http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))

    def page(self, path):
        with self.opener.open(self.demo.base + path) as answer:
            return answer.read().decode()

    def fill(self, path, **fields):
        """Sends a form with the hidden fields of its page; gives where it leads."""
        shown = self.page(path)
        found = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', shown)
        hidden = {name: html.unescape(value) for name, value in found if name == "token"}
        body = urllib.parse.urlencode({"next": "", **hidden, **fields}).encode()
        request = urllib.request.Request(self.demo.base + path, body, {"Origin": self.demo.base})
        with self.opener.open(request) as answer:
            return urllib.parse.urlsplit(answer.geturl()).path

    def enter(self):
        """In with the first password, and at once a password of one's own."""
        self.fill("/sign-in", number=self.who["number"], password=self.who["initial_password"])
        return self.fill("/password", old=self.who["initial_password"], new=PASSWORD, again=PASSWORD)

    def come_again(self):
        return self.fill("/sign-in", number=self.who["number"], password=PASSWORD)

    def order(self, fen):
        """A top-up order; gives its number."""
        body = json.dumps({"amount_fen": fen}).encode()
        headers = {"Origin": self.demo.base, "Content-Type": "application/json", "Idempotency-Key": uuid.uuid4().hex}
        request = urllib.request.Request(self.demo.base + "/api/v1/me/topup", body, headers)
        with self.opener.open(request) as answer:
            made = json.load(answer)
        self.page(urllib.parse.urlsplit(made["pay_address"]).path)
        return made["number"]

    def pay(self, fen):
        """Orders and pays; gives the order's number."""
        number = self.order(fen)
        self.demo.payer(number)
        return number
