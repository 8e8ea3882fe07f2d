"""A receiver of events, written from docs/webhooks.md alone: it checks signatures, keeps each event once, and can be made to
refuse, to keep and refuse, or to be dark."""

import hashlib
import hmac
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

FRESH_SECONDS = 300


def signatures(header):
    """The time and the signatures of a header; none when it is not of the form."""
    parts = [part.split("=", 1) for part in header.split(",")]
    if any(len(part) != 2 for part in parts):
        return None, []
    times = [value for name, value in parts if name == "t"]
    if len(times) != 1 or not times[0].isdigit():
        return None, []
    return times[0], [value for name, value in parts if name == "v1"]


def is_from_the_school(secret, header, body, now):
    """Whether a body was signed with this secret, lately."""
    at, found = signatures(header)
    if at is None or abs(now - int(at)) > FRESH_SECONDS:
        return False
    wanted = hmac.new(secret.encode(), at.encode() + b"." + body, hashlib.sha256).hexdigest()
    return any(hmac.compare_digest(wanted, value) for value in found)


class Receiver:
    """Listens on a port of this machine, the same one each time it comes back."""

    def __init__(self):
        self.changed = threading.Condition()
        self.secrets = []
        self.status = 204
        self.keeps = True
        self.events = {}
        self.order = []
        self.repeated = 0
        self.deliveries = []
        self.wrong = []
        self.port = 0
        self.server = None
        self.come_back()

    def come_back(self):
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = receiver.take(self.headers, body)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def go_dark(self):
        self.server.shutdown()
        self.server.server_close()

    def answers(self, status, keeps=True):
        with self.changed:
            self.status, self.keeps = status, keeps

    def take(self, headers, body):
        with self.changed:
            if not self.secrets:
                # Nobody has told it the secret yet: it can check nothing, so it takes nothing.
                return 503
            header = headers.get("Onecard-Signature", "")
            if not any(is_from_the_school(secret, header, body, time.time()) for secret in self.secrets):
                self.wrong.append((header, body))
                self.changed.notify_all()
                return 403
            told = json.loads(body)
            if told["delivery"] != headers.get("Onecard-Delivery") or not headers["Content-Type"] == "application/json":
                self.wrong.append((dict(headers), body))
            self.deliveries.append({**told, "header": header, "body": body, "status": self.status})
            if self.keeps:
                for event in told["events"]:
                    if event["id"] in self.events:
                        self.repeated += 1
                        if self.events[event["id"]] != event:
                            self.wrong.append(("changed", body))
                    else:
                        self.events[event["id"]] = event
                        self.order.append(event)
            self.changed.notify_all()
            return self.status

    def wait(self, holds, seconds):
        """Waits until something holds of what was received; says whether it came to that."""
        with self.changed:
            return self.changed.wait_for(lambda: holds(self), seconds)

    def of_type(self, kind):
        return [event for event in self.order if event["type"] == kind]
