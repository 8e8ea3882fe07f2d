"""Tops up a campus card: Python 3.10 and later, standard library alone.

ONECARD_ADDRESS=https://card.example.edu ONECARD_TOKEN=oc_... python3 top_up.py 50.00
The token needs the rights `read` and `topup`.
"""

import json
import os
import sys
import time
import urllib.error
import urllib.request
import uuid
from decimal import Decimal

ADDRESS = os.environ["ONECARD_ADDRESS"].rstrip("/")
TOKEN = os.environ["ONECARD_TOKEN"]
TRIES = 5
ENDED = {"ended", "in_case", "waiting_for_card", "on_card", "in_account", "refunded"}


class Refused(Exception):
    """The school says no; `code` is stable, `en` and `zh` are for people."""

    def __init__(self, problem):
        super().__init__(f"{problem['code']}: {problem['en']}")
        self.problem = problem


def call(method, path, body=None, key=None):
    """One call; again when it is not known whether it arrived, or when the server asks for patience."""
    headers = {"Authorization": f"Bearer {TOKEN}", "Accept": "application/json", "Accept-Language": "en"}
    data = None
    if body is not None:
        data = json.dumps(body).encode()
        headers |= {"Content-Type": "application/json", "Idempotency-Key": key}
    for last in [False] * (TRIES - 1) + [True]:
        request = urllib.request.Request(ADDRESS + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=15) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            wait = error.headers.get("Retry-After")
            problem = json.load(error)
            if wait is None or last:
                raise Refused(problem) from None
        except (urllib.error.URLError, TimeoutError):
            if last:
                raise
            wait = 1
        # The same key: however often this is repeated, it is one order.
        time.sleep(int(wait))


def yuan(fen):
    return f"{Decimal(fen) / 100:.2f}"


def main():
    amount_fen = int(Decimal(sys.argv[1]) * 100)
    print("balance", yuan(call("GET", "/api/v1/me")["total_fen"]), flush=True)
    made = call("POST", "/api/v1/me/topup", {"amount_fen": amount_fen}, str(uuid.uuid4()))
    print("order", made["number"], "pay at", made["pay_address"], flush=True)
    place = None
    while place not in ENDED:
        order = call("GET", f"/api/v1/me/orders/{made['number']}")
        if order["place"] != place:
            place = order["place"]
            print("place", place, flush=True)
        if place not in ENDED:
            time.sleep(2)


if __name__ == "__main__":
    try:
        main()
    except Refused as refused:
        sys.exit(str(refused))
