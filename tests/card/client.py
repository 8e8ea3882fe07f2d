"""A stranger's client of PC/SC: reads a card, loads it, buys with it and writes to it, with keys and arithmetic of its own."""

import subprocess

from smartcard.CardConnection import CardConnection
from smartcard.Exceptions import CardConnectionException, NoCardException
from smartcard.System import readers as readers_of_the_system

from arithmetic import CardKeys, mac8, mac16, sealed, u16, u32
from bench import CardOnReader, until

PURSE = bytes.fromhex("A00000000386980701")
LOAD, PURCHASE, COMPOSITE = 0x02, 0x06, 0x09
TERMINAL = bytes.fromhex("000042000007")
STAMP = bytes.fromhex("20261123123045")
COUNTER_FILE, LOG_FILE, PUBLIC_FILE, HOLDER_FILE = 0x17, 0x18, 0x15, 0x16


class Reader:
    """A reader with a card in it, through PC/SC."""

    def __init__(self, name):
        (reader,) = [each for each in readers_of_the_system() if str(each) == name]
        self.connection = until("a card that can be connected", lambda: self._connected(reader))
        self.contact = self.connection.getProtocol() == CardConnection.T0_protocol

    @staticmethod
    def _connected(reader):
        connection = reader.createConnection()
        try:
            connection.connect()
        except (NoCardException, CardConnectionException):
            return None
        return connection

    def raw(self, command):
        data, one, two = self.connection.transmit(list(command))
        return bytes(data), one << 8 | two

    def send(self, header, data=b"", expected=None):
        """A command by its parts; answer and status word. On T=0 an answer is fetched."""
        command = bytes.fromhex(header)
        if data:
            command += bytes([len(data)]) + data
        if expected is not None and not (self.contact and data):
            command += bytes([expected])
        answer, status = self.raw(command)
        if self.contact and status >> 8 == 0x61:
            return self.raw(bytes.fromhex("00C00000") + bytes([status & 0xFF]))
        return answer, status

    def close(self):
        self.connection.disconnect()


class Client:
    """One card under test."""

    def __init__(self, tally, reader, masters):
        self.tally, self.reader, self.masters = tally, reader, masters
        self.tsn = 0x0A5B

    def good(self, what, header, data=b"", expected=None):
        answer, status = self.reader.send(header, data, expected)
        self.tally.same(f"{what}: status", status, 0x9000)
        return answer

    def refused(self, what, wanted, header, data=b"", expected=None):
        self.tally.same(what, self.reader.send(header, data, expected)[1], wanted)

    def select(self, number):
        fci = self.good("SELECT", "00A40400", PURSE, 0)
        self.tally.same("FCI: template", fci[0], 0x6F)
        self.tally.same("FCI: length", fci[1], len(fci) - 2)
        self.tally.same("FCI: name", fci[2:4 + len(PURSE)], bytes([0x84, len(PURSE)]) + PURSE)
        at = fci.index(b"\x9f\x0c\x1e") + 3
        self.public = fci[at:at + 30]
        factor = self.public[12:20]
        self.tally.same("the serial number ends in the card's number", factor.hex(), number.lower())
        self.keys = CardKeys(self.masters, factor)
        self.tally.same("READ BINARY: public file", self.good("READ BINARY", "00B09500", expected=30), self.public)

    def balance(self):
        return int.from_bytes(self.good("GET BALANCE", "805C0002", expected=4), "big")

    def init_load(self, amount):
        answer = self.good("INITIALIZE FOR LOAD", "80500002", b"\x01" + u32(amount) + TERMINAL, 16)
        old, n, random, mac1 = answer[:4], int.from_bytes(answer[4:6], "big"), answer[8:12], answer[12:]
        self.tally.same("algorithm of the load key", answer[7], 0x00)
        session = self.keys.load_session(random, n)
        terms = u32(amount) + bytes([LOAD]) + TERMINAL
        self.tally.same("MAC1 of the load", mac1, mac8(session, old + terms))
        return int.from_bytes(old, "big"), n, session, terms

    def load(self, amount):
        old, n, session, terms = self.init_load(amount)
        mac2 = mac8(session, terms + STAMP)
        tac = self.good("CREDIT FOR LOAD", "80520000", STAMP + mac2, 4)
        self.tally.same("TAC of the load", tac, mac8(self.keys.tac, u32(old + amount) + u16(n) + terms + STAMP))
        self.tally.same("balance after the load", self.balance(), old + amount)
        self.proved("load", LOAD, n + 1, mac2 + tac)
        return n

    def refused_load(self):
        """A wrong MAC2 changes nothing, and neither does a right one in another session."""
        before = self.balance()
        _, n, session, terms = self.init_load(777)
        right = mac8(session, terms + STAMP)
        self.refused("CREDIT with a wrong MAC2", 0x9302, "80520000", STAMP + bytes(4), 4)
        self.refused("CREDIT once more in the same session", 0x6901, "80520000", STAMP + right, 4)
        self.init_load(777)
        self.refused("CREDIT with the MAC2 of another session", 0x9302, "80520000", STAMP + right, 4)
        self.tally.same("balance after refused loads", self.balance(), before)
        self.tally.same("load counter after refused loads", self.init_load(1)[1], n)

    def init_purchase(self, amount, kind):
        header = "80500102" if kind == PURCHASE else "80500302"
        answer = self.good("INITIALIZE FOR PURCHASE", header, b"\x01" + u32(amount) + TERMINAL, 15)
        self.tally.same("overdraft limit", answer[6:9], bytes(3))
        return int.from_bytes(answer[:4], "big"), int.from_bytes(answer[4:6], "big"), answer[11:]

    def buy(self, amount, kind=PURCHASE, counter=None):
        old, m, random = self.init_purchase(amount, kind)
        if counter is not None:
            self.good("new record of the day counter", f"80DC01{COUNTER_FILE << 3:02X}", counter)
        self.tsn += 1
        session = self.keys.purchase_session(random, m, self.tsn)
        terms = u32(amount) + bytes([kind]) + TERMINAL
        mac1 = mac8(session, terms + STAMP)
        answer = self.good("DEBIT FOR PURCHASE", "80540100", u32(self.tsn) + STAMP + mac1, 8)
        tac, mac2 = answer[:4], answer[4:]
        self.tally.same("TAC of the purchase", tac, mac8(self.keys.tac, terms + u32(self.tsn) + STAMP))
        self.tally.same("MAC2 of the purchase", mac2, mac8(session, u32(amount)))
        self.tally.same("balance after the purchase", self.balance(), old - amount)
        self.proved("purchase", kind, m + 1, mac2 + tac)
        return m

    def refused_purchases(self):
        before = self.balance()
        more = b"\x01" + u32(before + 1) + TERMINAL
        self.refused("a purchase of more than there is", 0x9401, "80500102", more, 15)
        _, m, random = self.init_purchase(100, PURCHASE)
        self.refused("DEBIT with a wrong MAC1", 0x9302, "80540100", u32(1) + STAMP + bytes(4), 8)
        self.refused("DEBIT without INITIALIZE", 0x6901, "80540100", u32(1) + STAMP + bytes(4), 8)
        self.tally.same("balance after refused purchases", self.balance(), before)
        self.tally.same("purchase counter after them", self.init_purchase(1, PURCHASE)[1], m)

    def proved(self, what, kind, after, wanted):
        """GET TRANSACTION PROVE gives MAC and TAC, under the counter after or before."""
        answer, status = self.reader.send(f"805A00{kind:02X}", u16(after), 8)
        if status == 0x9406:
            answer, status = self.reader.send(f"805A00{kind:02X}", u16(after - 1), 8)
        self.tally.same(f"proof of the {what}", (answer, status), (wanted, 0x9000))

    def logged(self, record, seq, amount, kind):
        text = self.good("READ RECORD of the log", f"00B2{record:02X}{LOG_FILE << 3 | 4:02X}", expected=23)
        self.tally.check("counter in the log", int.from_bytes(text[:2], "big") in (seq, seq + 1), text.hex())
        self.tally.same("log record", text[2:], bytes(3) + u32(amount) + bytes([kind]) + TERMINAL + STAMP)

    def protected(self, header, data, wrong=False):
        """A command with a MAC under the maintenance key; gives the status word."""
        challenge = self.good("GET CHALLENGE", "00840000", expected=4)
        covered = bytes.fromhex(header) + bytes([len(data) + 4]) + data
        mac = mac16(self.keys.maintenance, challenge, covered)
        if wrong:
            mac = bytes([mac[0] ^ 1]) + mac[1:]
        return self.reader.send(header, data + mac)[1]

    def secure_messaging(self):
        same = self.tally.same
        changed = self.public[:28] + b"\x12\x34"
        header = f"04D6{0x80 | PUBLIC_FILE:02X}00"
        same("UPDATE BINARY without a MAC", self.reader.send(header.replace("04D6", "00D6"), changed)[1] == 0x9000, False)
        same("UPDATE BINARY with a wrong MAC", self.protected(header, changed, wrong=True), 0x6988)
        same("what a wrong MAC changed", self.good("READ BINARY", "00B09500", expected=30), self.public)
        same("UPDATE BINARY with a MAC", self.protected(header, changed), 0x9000)
        same("the new public file", self.good("READ BINARY", "00B09500", expected=30), changed)
        holder = f"04D6{0x80 | HOLDER_FILE:02X}00"
        same("UPDATE BINARY with line encryption", self.protected(holder, sealed(self.keys.maintenance, bytes(20))), 0x9000)
        self.refused("the holder's file is not for everyone", 0x6982, f"00B0{0x80 | HOLDER_FILE:02X}00", expected=20)
        same("APPLICATION BLOCK", self.protected("841E0000", b""), 0x9000)
        self.refused("a load on a blocked application", 0x6A81, "80500002", b"\x01" + u32(1) + TERMINAL, 16)
        same("APPLICATION UNBLOCK with a wrong MAC", self.protected("84180000", b"", wrong=True), 0x6988)
        same("APPLICATION UNBLOCK", self.protected("84180000", b""), 0x9000)
        self.select(self.public[12:20].hex())


def everything(tally, binary, reader, masters, card, *more):
    """The whole life of a new card; `more` are options of the card."""
    name, port = reader
    file, number = card
    lies = CardOnReader(binary, port, file, *more)
    seat = Reader(name)
    client = Client(tally, seat, masters)
    client.select(number)
    tally.same("balance of a new card", client.balance(), 0)
    client.refused("the log of a new card", 0x6A83, f"00B201{LOG_FILE << 3 | 4:02X}", expected=23)
    first = client.load(5000)
    tally.same("the next load's counter", client.load(1250), first + 1)
    client.refused_load()
    m = client.buy(1234)
    counter = bytes.fromhex("20261123") + u32(66) + bytes(8)
    tally.same("the next purchase's counter", client.buy(66, COMPOSITE, counter), m + 1)
    record = client.good("READ RECORD of the day counter", f"00B201{COUNTER_FILE << 3 | 4:02X}", expected=16)
    tally.same("the day counter", record, counter)
    client.refused_purchases()
    client.logged(1, m + 1, 66, COMPOSITE)
    client.logged(2, m, 1234, PURCHASE)
    client.logged(3, first + 1, 1250, LOAD)
    client.logged(4, first, 5000, LOAD)
    client.secure_messaging()
    seat.close()
    tally.same("the card ends well", lies.stop(), 0)
    again = CardOnReader(binary, port, file, *more)
    seat = Reader(name)
    client = Client(tally, seat, masters)
    client.select(number)
    tally.same("the balance outlives the card's process", client.balance(), 5000 + 1250 - 1234 - 66)
    seat.close()
    opensc(tally, name)
    tally.same("the card ends well again", again.stop(), 0)


def opensc(tally, name):
    """Another stranger: opensc-tool, without a line of ours."""
    listed = subprocess.run(["opensc-tool", "--list-readers"], capture_output=True, text=True).stdout
    number = next(line.split()[0] for line in listed.splitlines() if line.strip().endswith(name))
    select = "00A4040009" + PURSE.hex() + "00"
    ran = subprocess.run(
        ["opensc-tool", "--reader", number, "--send-apdu", select, "--send-apdu", "805C000204"],
        capture_output=True,
        text=True,
    )
    answers = ran.stdout.split("Received ")[1:]
    tally.same("opensc-tool gets two answers", (len(answers), ran.returncode), (2, 0))
    for answer in answers:
        tally.check("opensc-tool is content", answer.startswith("(SW1=0x90, SW2=0x00)"), answer)
    balance = (5000 + 1250 - 1234 - 66).to_bytes(4, "big").hex(" ").upper()
    tally.check("opensc-tool reads the balance", balance in answers[-1], ran.stdout)
