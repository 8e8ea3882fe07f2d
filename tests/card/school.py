"""A school for the tests with card readers: the real platform, the provider's sandbox, terminals and cards."""

import base64
import http.cookiejar
import json
import os
import pathlib
import signal
import subprocess
import urllib.error
import urllib.parse
import urllib.request

import smartcard.scard as scard

from bench import CardOnReader, Running, until

PAGES = "http://127.0.0.1:8840"
LINK = "wss://127.0.0.1:8841/link/v1"
PEOPLE = [
    ("2026100001", "林小雨", "110101200503070011"),
    ("2026100002", "陈浩然", "110101200504080022"),
    ("2026100003", "王欣怡", "110101200606090033"),
]


def check_digit(body):
    weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]
    return "10X98765432"[sum(int(digit) * weight for digit, weight in zip(body, weights)) % 11]


class School:
    """The platform and the sandbox on the ports of an example configuration."""

    def __init__(self, binary, folder):
        self.binary, self.folder = binary, pathlib.Path(folder)
        self.run("sandbox", "--example-config", str(self.folder))
        self.config = self.folder / "onecard.toml"
        roster = self.folder / "people.csv"
        self.documents = {number: body[:17] + check_digit(body[:17]) for number, _, body in PEOPLE}
        rows = [f"{number},{name},居民身份证,{self.documents[number]},学生,计算机学院" for number, name, _ in PEOPLE]
        roster.write_text("\n".join(["学工号,姓名,证件类型,证件号码,人员类别,部门", *rows]) + "\n", encoding="utf-8")
        merchants = self.folder / "merchants.csv"
        merchants.write_text("code,name_zh,name_en\ncanteen,第一食堂,First canteen\n", encoding="utf-8")
        # The first start makes the school's keys.
        self.start()
        self.stop()
        self.office("import", "people", str(roster))
        self.office("import", "merchants", str(merchants))
        self.office("settings", "set", "initial_password.force_change", "0", "--by", "card test")

    def run(self, *words):
        done = subprocess.run([self.binary, *words], capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"onecard {' '.join(words)}: {done.stdout}{done.stderr}")
        return done.stdout

    def office(self, *words):
        """A command that works on the book by itself; the platform does not run meanwhile."""
        return self.run(*words, "--config", str(self.config))

    def issue(self, person, number):
        """Hands a card to its holder; gives its file."""
        file = self.folder / f"{number}.card"
        self.office("card", "issue", "--number", person, "--card", number, "--out", str(file))
        return file

    def personalise(self, person, number, reader):
        """Makes a card of a blank one at a reader, as the card office does; gives its file."""
        name, port = reader
        file = self.folder / f"{number}.card"
        self.run("card", "blank", "--out", str(file))
        blank = put(self, port, file)
        words = ["--person", person, "--card", number, "--reader", f"pcsc:{name}"]
        self.office("card", "personalise", *words)
        take(blank, name)
        return file

    def enrol(self, number, place):
        """A terminal of the canteen; gives the folder of its identity."""
        folder = self.folder / f"terminal-{number}"
        names = ["--place-zh", place, "--place-en", f"Till {number}"]
        self.office("terminal", "enrol", "--number", number, "--merchant", "canteen", *names, "--out", str(folder))
        return folder

    def masters(self):
        """The school's card keys, for a client that is to check what the cards say."""
        keyring = json.loads((self.folder / "school/keys.json").read_text())
        (keys,) = keyring["cards"].values()
        return {name: base64.b64decode(text + "=" * (-len(text) % 4)) for name, text in keys.items()}

    def start(self):
        self.sandbox = Running([self.binary, "sandbox", "--config", str(self.folder / "sandbox.toml")])
        self.sandbox.wait_for("ready: ")
        self.platform = Running([self.binary, "serve", "--config", str(self.config)])
        self.platform.wait_for("is served at")

    def stop(self):
        """Ends both; gives their exit codes."""
        return self.platform.stop(), self.sandbox.stop()

    def sign_in(self, person):
        return Holder(self, person)


class Holder:
    """A holder at the pages."""

    def __init__(self, school, person):
        self.school = school
        jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self.browser = urllib.request.build_opener(urllib.request.ProxyHandler({}), jar)
        document = school.documents[person]
        with self.browser.open(PAGES + "/sign-in") as page:
            token = page.read().decode().split('name="token" value="')[1].split('"')[0]
        form = {"number": person, "password": document[-6:].replace("X", "0"), "next": "", "token": token}
        self.post("/sign-in", urllib.parse.urlencode(form).encode(), "application/x-www-form-urlencoded")
        if self.money()["number"] != person:
            raise RuntimeError("not signed in")
        self.orders = 0

    def post(self, path, body, kind, **more):
        headers = {"Content-Type": kind, "Origin": PAGES, **more}
        with self.browser.open(urllib.request.Request(PAGES + path, body, headers)) as answer:
            return answer.read()

    def money(self):
        with self.browser.open(PAGES + "/api/v1/me") as answer:
            return json.load(answer)

    def top_up(self, fen):
        """Pays a top-up; it waits for the card when this returns."""
        before = self.money()["waiting"]["amount_fen"]
        self.orders += 1
        body = json.dumps({"amount_fen": fen}).encode()
        key = {"Idempotency-Key": f"top-up-{self.orders}"}
        order = json.loads(self.post("/api/v1/me/topup", body, "application/json", **key))["number"]
        wish = json.dumps({"provider": "wechat", "out_trade_no": order}).encode()
        pay = urllib.request.Request(
            "http://127.0.0.1:8850/control/pay", wish, {"Content-Type": "application/json"}
        )
        until("the provider takes the payment", lambda: self._sent(pay))
        until("the money waits for the card", lambda: self.money()["waiting"]["amount_fen"] == before + fen)

    def _sent(self, request):
        try:
            with self.browser.open(request) as answer:
                return answer.status == 200
        except urllib.error.HTTPError:
            return False


class Till(Running):
    """A terminal in a process of its own, at a card reader of PC/SC."""

    def __init__(self, school, identity, reader):
        words = ["terminal", "pos", "--server", LINK, "--identity", str(identity), "--reader", f"pcsc:{reader}"]
        super().__init__([school.binary, *words, "--plain", "--language", "en"])
        self.wait_for("Enter an amount")


def put(school, port, file, *more):
    """A card on the reader with this port."""
    return CardOnReader(school.binary, port, file, *more)


def take(card, reader):
    """Takes a card away, as slowly as a hand does; gives what it says its purse holds."""
    if card.stop() != 0:
        raise RuntimeError("the card did not end well: " + "\n".join(card.log))
    emptied(reader)
    return held(card)


def emptied(reader):
    """Waits until the service has seen that nothing lies on a reader; it looks every 400 ms."""
    established, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
    if established != scard.SCARD_S_SUCCESS:
        raise RuntimeError(scard.SCardGetErrorMessage(established))

    def empty():
        looked, states = scard.SCardGetStatusChange(context, 0, [(reader, scard.SCARD_STATE_UNAWARE)])
        return looked == scard.SCARD_S_SUCCESS and states[0][1] & scard.SCARD_STATE_EMPTY

    until(f"{reader} is empty", empty)
    scard.SCardReleaseContext(context)


def held(card):
    """What a card that has left says its purse holds, in fen."""
    line = card.wait_for("the card has left")
    yuan = line.split("its purse holds ")[1].split(",")[0]
    return round(float(yuan) * 100)


def restart_service():
    """Ends the service of the readers and starts it again, as an update of the system does."""
    pid = int(pathlib.Path("/run/pcscd/pcscd.pid").read_text().strip("\n\0"))
    line = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().decode().rstrip("\0").split("\0")
    os.kill(pid, signal.SIGTERM)
    until("the service ends", lambda: not pathlib.Path(f"/proc/{pid}/fd").exists() or ended(pid))
    service = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until("the service is there again", lambda: pathlib.Path("/run/pcscd/pcscd.comm").exists())
    return service


def ended(pid):
    state = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    return state in ("Z", "X")
