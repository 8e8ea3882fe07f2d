"""Tops up a campus card: Python 3.10 and later, standard library alone.

ONECARD_ADDRESS=https://card.example.edu ONECARD_TOKEN=oc_... python3 top_up.py 50.00 [KEY]
The token needs the rights `read` and `topup`. KEY names this top-up for good: whoever runs the same line again gets the same
order. Without one a new one is made and told.
"""

import http.client
import json
import os
import sys
import time
import urllib.error
import urllib.request
import uuid
from decimal import Decimal, InvalidOperation

ADDRESS = os.environ["ONECARD_ADDRESS"].rstrip("/")
TOKEN = os.environ["ONECARD_TOKEN"]
TRIES = 5
ENDED = {"ended", "in_case", "waiting_for_card", "on_card", "in_account", "refunded"}


class Refused(Exception):
    """The school says no; `code` is stable, `en` and `zh` are for people."""

    def __init__(self, problem):
        super().__init__(f"{problem['code']}: {problem['en']}")
        self.problem = problem


def send(request):
    """Status, headers and JSON of one answer.

    Raises OSError, HTTPException or ValueError when it is not known what the school answered, or whether it got the request:
    the connection broke, or a proxy answered with a page of its own.
    """
    try:
        with urllib.request.urlopen(request, timeout=15) as answer:
            return answer.status, answer.headers, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            problem = json.load(error)
        if not isinstance(problem, dict) or "code" not in problem:
            raise ValueError(f"HTTP {error.code} is not from the school") from None
        return error.code, error.headers, problem


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
            status, told, content = send(request)
            if status < 300:
                return content
            wait = told.get("Retry-After")
            if wait is None or last:
                raise Refused(content)
        except (OSError, http.client.HTTPException, ValueError):
            if last:
                raise
            wait = 1
        # The same key: however often this is repeated, it is one order.
        time.sleep(int(wait))


def fen(typed):
    """Fen of an amount in yuan as typed; never rounded."""
    try:
        amount = Decimal(typed).scaleb(2)
        whole = int(amount)
    except (InvalidOperation, ValueError, OverflowError):
        sys.exit(f"{typed} is no amount")
    if amount != whole or whole <= 0:
        sys.exit(f"{typed} is no amount of whole fen")
    return whole


def yuan(amount_fen):
    return f"{Decimal(amount_fen) / 100:.2f}"


def main():
    amount_fen = fen(sys.argv[1])
    key = sys.argv[2] if len(sys.argv) > 2 else str(uuid.uuid4())
    print("balance", yuan(call("GET", "/api/v1/me")["total_fen"]), flush=True)
    # Told before the first try: if this program dies, the same key finds the same order.
    print("key", key, flush=True)
    made = call("POST", "/api/v1/me/topup", {"amount_fen": amount_fen}, key)
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
