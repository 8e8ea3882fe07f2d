"""The examples of clients against a school that is hard to reach: each must make one order, with one key, whatever breaks.

The school here is a stand-in that knows no more than the examples ask for.
"""

import http.server
import json
import os
import shutil
import subprocess
import threading

import clients

NUMBER = "261123123005000112345678"
ORDER = {"number": NUMBER, "pay_address": "http://127.0.0.1/pay/" + NUMBER}
SECONDS = 120


class School(http.server.ThreadingHTTPServer):
    """Counts what it is asked for; the first times something breaks, each time in another way."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answer)
        self.orders = []
        self.looks = 0

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def told(self, status, content, kind="application/json", cut=0, more=()):
        """An answer; `cut` bytes of it never come."""
        body = content.encode()
        self.send_response(status)
        for name, value in [("Content-Type", kind), ("Content-Length", str(len(body))), *more]:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[: len(body) - cut])
        if cut:
            self.close_connection = True

    def proxy(self):
        self.told(502, "<html><body><h1>502 Bad Gateway</h1></body></html>", "text/html")

    def do_GET(self):
        if self.path == "/api/v1/me":
            self.told(200, json.dumps({"total_fen": 1234}))
            return
        self.server.looks += 1
        if self.server.looks == 1:
            self.proxy()
        else:
            self.told(200, json.dumps({**ORDER, "place": "waiting_for_card"}))

    def do_POST(self):
        content = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.orders.append((self.headers["Idempotency-Key"], json.loads(content)))
        match len(self.server.orders):
            case 1:
                # It arrived, and nobody hears what became of it.
                self.close_connection = True
            case 2:
                self.proxy()
            case 3:
                self.told(201, json.dumps(ORDER), cut=5)
            case 4:
                problem = {"code": "BUSY", "en": "Please ask again.", "zh": "请重试。"}
                self.told(503, json.dumps(problem), "application/problem+json", more=[("Retry-After", "1")])
            case _:
                self.told(201, json.dumps(ORDER))


def run(line, environment):
    return subprocess.run(line, capture_output=True, text=True, env=environment, timeout=SECONDS)


def one(tally, name, line):
    school = School()
    threading.Thread(target=school.serve_forever, daemon=True).start()
    environment = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
    environment |= {"ONECARD_ADDRESS": school.address, "ONECARD_TOKEN": "oc_" + "0" * 64}
    done = run(line, environment)
    said = done.stdout.split("\n")
    tally.same(f"{name}: it ends well whatever breaks", (done.returncode, said[-2:]), (0, ["place waiting_for_card", ""]))
    keys = {key for key, _ in school.orders}
    tally.same(f"{name}: it asks five times with one key", (len(school.orders), len(keys)), (5, 1))
    tally.check(f"{name}: always for the same", all(wish == {"amount_fen": 1234} for _, wish in school.orders))
    tally.check(f"{name}: the key is told before the first try", f"key {'/'.join(keys)}" in said[:2], done.stdout + done.stderr)
    for amount in ("1.234", "1e", "-1.00", ""):
        refused = run([word if word != "12.34" else amount for word in line], environment)
        tally.check(f"{name}: {amount!r} is no amount", refused.returncode != 0, refused.stdout)
    tally.same(f"{name}: nor ordered", len(school.orders), 5)
    school.shutdown()
    school.server_close()


def everything(tally, rust):
    for name, (needed, line) in clients.lines(rust).items():
        if needed and shutil.which(needed):
            one(tally, name, line)
        else:
            print(f"not run: {name} against a school that breaks: no {needed or 'example was built'} here")
