"""What the tests with card readers share: programs that run beside them, readers, and waiting for what comes."""

import os
import queue
import signal
import subprocess
import threading
import time

PATIENCE_SECONDS = 30
STOP_SECONDS = 20


def readers():
    """Names and ports of the virtual readers around this test."""
    text = os.environ.get("CARD_READERS", "")
    if not text:
        raise SystemExit("no readers: run this with `cargo xtask readers --count 4 -- ...`")
    return [(name, int(port)) for name, port in (each.split("=") for each in text.split(","))]


def until(what, look, seconds=PATIENCE_SECONDS):
    """Looks until it is so, and gives what was found."""
    ends = time.monotonic() + seconds
    pause = threading.Event()
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > ends:
            raise RuntimeError(f"in vain: {what}")
        pause.wait(0.02)


class Running:
    """A program beside the test; its lines are kept and can be waited for."""

    def __init__(self, line):
        self.line = line
        self.log = []
        self.seen = 0
        self.process = subprocess.Popen(
            line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1
        )
        self.lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line.rstrip())
        self.lines.put(None)

    def wait_for(self, *words, seconds=PATIENCE_SECONDS):
        """The next line that has all these words, however they begin; lines before it are passed over."""
        ends = time.monotonic() + seconds
        while True:
            try:
                line = self.lines.get(timeout=max(0.01, ends - time.monotonic()))
            except queue.Empty:
                line = None
            if line is None:
                raise RuntimeError(f"{self.line[1:3]} did not say {words}; it said:\n" + "\n".join(self.log[-25:]))
            self.log.append(line)
            if all(word.lower() in line.lower() for word in words):
                return line

    def type(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def alive(self):
        return self.process.poll() is None

    def ends(self):
        """Its exit code, once it has ended by itself."""
        return self.process.wait(PATIENCE_SECONDS)

    def stop(self, how=signal.SIGINT):
        """Ends it, as Ctrl-C does unless told otherwise; gives its exit code."""
        if self.alive():
            self.process.send_signal(how)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
        return self.process.wait()


class CardOnReader(Running):
    """A card of a file, in a process of its own, on a virtual reader."""

    def __init__(self, binary, port, file, *more):
        super().__init__([binary, "card", "--vpcd", f"127.0.0.1:{port}", "--state", str(file), *more])
        self.wait_for("lies on the reader")
