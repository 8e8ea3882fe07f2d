"""The demo as a person starts it: one process, one folder, one address."""

import json
import queue
import signal
import subprocess
import threading
import urllib.request

READY = "ready: "
START_SECONDS = 120
STOP_SECONDS = 30


class Demo:
    """A running `onecard demo` on a free port of this machine."""

    def __init__(self, binary, folder, people):
        self.binary = binary
        self.folder = folder
        self.log = []
        self.people_count = people
        self.start("0")

    def start(self, port):
        """Starts it on the folder; waits until every page answers."""
        command = [self.binary, "demo", "--data", self.folder, "--port", port, "--people", str(self.people_count)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.lines = queue.Queue()
        threading.Thread(target=self._read, args=(self.process, self.lines), daemon=True).start()
        self.base = self._address()
        about = self.fetch("/demo/people.json")
        self.people = about["people"]
        self.sandbox = about["sandbox"]
        self.pos = about["pos"][0]

    def restart(self, how):
        """Ends it by this signal, and starts it again at the same address."""
        self.process.send_signal(how)
        self.process.wait(STOP_SECONDS)
        self.start(self.base.rsplit(":", 1)[1])

    def _read(self, process, lines):
        for line in process.stdout:
            self.log.append(line.rstrip())
            lines.put(line)
        lines.put(None)

    def _address(self):
        while True:
            try:
                line = self.lines.get(timeout=START_SECONDS)
            except queue.Empty:
                line = None
            if line is None:
                self.stop()
                raise RuntimeError("the demo did not become ready:\n" + "\n".join(self.log))
            if line.startswith(READY):
                return line[len(READY):].strip()

    def fetch(self, path):
        """The JSON at one of the demo's addresses."""
        with urllib.request.urlopen(self.base + path) as answer:
            return json.load(answer)

    def control(self, path, wish):
        """Throws a switch of the sandbox providers."""
        body = json.dumps(wish).encode()
        request = urllib.request.Request(self.sandbox + path, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def stop(self):
        """Ends it as Ctrl-C does; gives its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
        return self.process.wait()

    def verify(self):
        """Checks the book that it leaves behind; gives exit code and what was printed."""
        command = [self.binary, "verify", "--data", self.folder]
        done = subprocess.run(command, capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr
