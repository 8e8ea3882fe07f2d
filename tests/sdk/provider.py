"""The sandbox as a merchant meets it: an address, a folder of keys, and notices that come by themselves."""

import http.server
import json
import pathlib
import queue
import signal
import socket
import subprocess
import threading
import tomllib
import urllib.error
import urllib.request

READY = "ready: "
START_SECONDS = 60
STOP_SECONDS = 30
NOTICE_SECONDS = 30
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Sandbox:
    """A running `onecard sandbox` with fresh keys."""

    def __init__(self, binary, folder):
        port = free_port()
        made = subprocess.run(
            [binary, "sandbox", "--example-config", folder, "--port", str(port)], capture_output=True, text=True
        )
        if made.returncode != 0:
            raise RuntimeError("no example configuration was written:\n" + made.stderr)
        self.folder = pathlib.Path(folder)
        self.log = []
        self.process = subprocess.Popen(
            [binary, "sandbox", "--config", str(self.folder / "sandbox.toml")],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self._wait()
        self.merchant = self.folder / "merchant"
        self.facts = tomllib.loads((self.merchant / "merchant.toml").read_text())
        self.address = self.facts["address"]

    def _read(self):
        for line in self.process.stdout:
            self.log.append(line.rstrip())
            self.lines.put(line)
        self.lines.put(None)

    def _wait(self):
        while True:
            try:
                line = self.lines.get(timeout=START_SECONDS)
            except queue.Empty:
                line = None
            if line is None:
                self.stop()
                raise RuntimeError("the sandbox did not become ready:\n" + "\n".join(self.log))
            if line.startswith(READY):
                return

    def secret(self, name):
        """One of the merchant's files."""
        return (self.merchant / name).read_text().strip()

    def control(self, path, wish):
        """Acts as the operator: pays, ends refunds, throws switches."""
        body = json.dumps(wish).encode()
        request = urllib.request.Request(self.address + path, body, {"Content-Type": "application/json"})
        with DIRECT.open(request) as answer:
            return json.load(answer)

    def switch(self, name, mode, **more):
        self.control("/control/switch", {"switch": name, "mode": mode, **more})

    def pay(self, number, **more):
        return self.control("/control/pay", {"provider": "wechat", "out_trade_no": number, **more})

    def page(self, path):
        """What a browser gets: its status."""
        try:
            with DIRECT.open(self.address + path) as answer:
                return answer.status
        except urllib.error.HTTPError as refused:
            return refused.code

    def stop(self):
        """Ends it as Ctrl-C does."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
        return self.process.wait()


class Notices:
    """The merchant's notify address: keeps what arrives, takes or refuses it as the caller's judge says."""

    def __init__(self):
        self.arrived = queue.Queue()
        self.status = 204
        outer = self

        class Desk(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                outer.arrived.put((dict(self.headers.items()), body))
                self.send_response(outer.status)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Desk)
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}/notify"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def next(self):
        """Headers and body of the next notice."""
        return self.arrived.get(timeout=NOTICE_SECONDS)

    def stop(self):
        self.server.shutdown()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
