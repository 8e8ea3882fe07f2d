"""Programs that ask at the same time: written from the OpenAPI document alone, with Python's standard library.

Every request is made ready to the last byte before any is sent; all go out together.
"""

import http.client
import json
import threading
import urllib.parse

AT_ONCE = 50
ROUNDS = 3


class Program:
    """A program with a token."""

    def __init__(self, base, token):
        self.base = urllib.parse.urlsplit(base)
        self.token = token

    def connect(self):
        connection = http.client.HTTPConnection(self.base.hostname, self.base.port, timeout=60)
        connection.connect()
        return connection

    def ask(self, method, path, body=None, key=None, connection=None):
        """Status, headers and body of one answer."""
        connection = connection or self.connect()
        headers = {"Authorization": f"Bearer {self.token}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if key is not None:
            headers["Idempotency-Key"] = key
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        status, told, content = answer.status, answer.headers, answer.read()
        connection.close()
        return status, told, content

    def top_up(self, amount_fen, key, connection=None):
        return self.ask("POST", "/api/v1/me/topup", {"amount_fen": amount_fen}, key, connection)

    def open_orders(self):
        """Numbers of the orders that can be paid."""
        status, _, content = self.ask("GET", "/api/v1/me")
        if status != 200:
            raise RuntimeError(content)
        return {order["number"] for order in json.loads(content)["open_orders"]}


def together(calls):
    """Makes every call on a connection that stands already, all at the same moment; their answers in order."""
    answers = [None] * len(calls)
    gate = threading.Barrier(len(calls))

    def one(at, program, call):
        connection = program.connect()
        gate.wait()
        answers[at] = call(connection)

    threads = [threading.Thread(target=one, args=(at, *each)) for at, each in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def code(answer):
    return json.loads(answer[2]).get("code")


def same_key(tally, program, name):
    """One call, fifty times at once: one order, one answer."""
    before = program.open_orders()
    calls = [(program, lambda connection: program.top_up(1_000, name, connection)) for _ in range(AT_ONCE)]
    answers = together(calls)
    tally.same(f"{name}: every answer is 201", {answer[0] for answer in answers}, {201})
    tally.same(f"{name}: every body is the same", len({answer[2] for answer in answers}), 1)
    tally.same(f"{name}: every Location is the same", len({answer[1]["Location"] for answer in answers}), 1)
    replayed = [answer[1].get("Idempotency-Replayed") for answer in answers].count("true")
    tally.same(f"{name}: all but one are told again", replayed, AT_ONCE - 1)
    made = program.open_orders() - before
    tally.same(f"{name}: one order was made", made, {json.loads(answers[0][2])["number"]})
    later = program.top_up(1_000, name)
    tally.same(f"{name}: later it is answered the same", (later[0], later[2]), (201, answers[0][2]))


def other_input(tally, program, name):
    """One key with other input: refused, whoever comes first."""
    before = program.open_orders()
    calls = [(program, lambda connection, fen=1_000 + at: program.top_up(fen, name, connection)) for at in range(10)]
    answers = together(calls)
    good = [answer for answer in answers if answer[0] == 201]
    refused = [answer for answer in answers if answer[0] == 409]
    tally.same(f"{name}: one call is carried out", len(good), 1)
    tally.same(f"{name}: the others are refused", {code(answer) for answer in refused}, {"IDEMPOTENCY_CONFLICT"})
    tally.same(f"{name}: none is answered otherwise", len(good) + len(refused), 10)
    tally.same(f"{name}: one order was made", len(program.open_orders() - before), 1)


def blanks(tally, program, name):
    """The same input, written otherwise, is the same input."""
    first = program.top_up(1_000, name)
    connection = program.connect()
    headers = {
        "Authorization": f"Bearer {program.token}",
        "Content-Type": "application/json; charset=utf-8",
        "Idempotency-Key": name,
    }
    connection.request("POST", "/api/v1/me/topup", '{ "amount_fen" :1000 }', headers)
    answer = connection.getresponse()
    tally.same(f"{name}: blanks are no other input", (answer.status, answer.read()), (first[0], first[2]))
    connection.close()


def other_person(tally, program, other, name):
    """A key is its holder's own."""
    answers = together([
        (each, lambda connection, each=each: each.top_up(1_000, name, connection)) for each in (program, other) * 5
    ])
    mine, theirs = ({json.loads(answer[2]).get("number") for answer in answers[at::2]} for at in (0, 1))
    tally.same(f"{name}: every answer is 201", {answer[0] for answer in answers}, {201})
    tally.check(f"{name}: each has an order of their own", len(mine) == 1 and len(theirs) == 1 and mine != theirs)
    (number,) = theirs
    hidden = program.ask("GET", f"/api/v1/me/orders/{number}")
    never = program.ask("GET", "/api/v1/me/orders/261122123005000112345678")
    tally.same(f"{name}: the other's order is not found", (hidden[0], code(hidden)), (404, "NOT_FOUND"))
    tally.same(f"{name}: as one that never was", hidden[2], never[2])


def other_keys(tally, program, name):
    """Different keys are different orders, up to what may be open at once; nothing is made beyond."""
    before = program.open_orders()
    calls = [(program, lambda connection, at=at: program.top_up(100, f"{name}-{at}", connection)) for at in range(20)]
    answers = together(calls)
    made = {json.loads(answer[2])["number"] for answer in answers if answer[0] == 201}
    good = [answer for answer in answers if answer[0] == 201]
    tally.same(f"{name}: as many orders as good answers", (len(made), program.open_orders() - before), (len(good), made))
    known = {"BALANCE_CAP", "LIMIT_DAILY", "TOO_MANY_ORDERS", "RATE_LIMITED"}
    others = {code(answer) for answer in answers if answer[0] != 201}
    tally.check(f"{name}: what is refused is refused by a rule", others <= known, others)


def pages(tally, program):
    """Pages of records, one after the other, are the records, each once."""
    status, _, content = program.ask("GET", "/api/v1/me/records?limit=100")
    whole = [record["number"] for record in json.loads(content)["records"]]
    tally.same("records: a page of a hundred", status, 200)
    for limit in (1, 3, 7):
        found, after = [], ""
        while after is not None:
            page = json.loads(program.ask("GET", f"/api/v1/me/records?limit={limit}{after}")[2])
            found += [record["number"] for record in page["records"]]
            after = page["next"] and f"&after={page['next']}"
            if len(found) >= len(whole):
                break
        tally.same(f"records: pages of {limit}", found[: len(whole)], whole)


def everything(tally, base, token, other_token):
    program, other = Program(base, token), Program(base, other_token)
    for round_ in range(ROUNDS):
        same_key(tally, program, f"same-key-{round_}")
    other_input(tally, program, "other-input")
    blanks(tally, program, "blanks")
    other_person(tally, program, other, "other-person")
    pages(tally, program)
    other_keys(tally, other, "other-keys")
