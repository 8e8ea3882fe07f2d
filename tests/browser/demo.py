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
        self.people = self.everyone()
        self.sandbox = about["sandbox"]
        self.pos = about["pos"][0]

    def restart(self, how):
        """Ends it by this signal, and starts it again at the same address."""
        self.process.send_signal(how)
        self.process.wait(STOP_SECONDS)
        self.again()

    def again(self):
        """Starts it at the same address, after it ended."""
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

    def set(self, **values):
        """Changes rules of the school, named with `__` for the dot; nothing runs meanwhile."""
        words = [("settings", "set", name.replace("__", "."), str(value), "--by", "story") for name, value in values.items()]
        for code, said in self.commands(*words):
            if code != 0:
                raise RuntimeError(said)

    def command(self, *words):
        """Stops it, runs a command of the program on its folder, and starts it again at the same address; gives exit code
        and what was printed."""
        (done,) = self.commands(words)
        return done

    def commands(self, *lines):
        """The same with several commands, one after the other: it is started again only after the last."""
        if self.stop() != 0:
            raise RuntimeError("the demo did not stop:\n" + "\n".join(self.log))
        runs = [
            subprocess.run([self.binary, *words, "--data", self.folder], capture_output=True, text=True) for words in lines
        ]
        self.again()
        return [(run.returncode, run.stdout + run.stderr) for run in runs]

    def everyone(self):
        """Those who begin with nothing, then the one with a past."""
        about = self.fetch("/demo/people.json")
        return [*about["people"], about["with_past"]]

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

    def there(self, number):
        """What the sandbox provider knows of an order."""
        with urllib.request.urlopen(self.sandbox + "/control/state") as answer:
            orders = json.load(answer)["orders"]
        (order,) = [each for each in orders if each["out_trade_no"] == number]
        return order

    def payer(self, number, step="pay"):
        """The payer takes a step at the provider."""
        return self.control("/control/pay", {"provider": "wechat", "out_trade_no": number, "step": step})

    def money_back(self, number):
        """The refund arrives at the payer."""
        return self.control("/control/refund", {"out_refund_no": number, "outcome": "success"})

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
