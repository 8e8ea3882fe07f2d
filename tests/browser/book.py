"""The book behind the pages, as `onecard verify` recomputes it from the files alone while the server runs."""

import re
import subprocess

ROWS = re.compile(r"^journal rows\s+(\d+)$", re.MULTILINE)
COUNTS = re.compile(r"^rows\s+(\d+) (\w+)$", re.MULTILINE)
SUMS = re.compile(r"^sum of (\d)xxx\s+(-?[\d.]+)", re.MULTILINE)


class Book:
    """One look at it."""

    def __init__(self, binary, folder):
        done = subprocess.run([binary, "verify", "--data", folder], capture_output=True, text=True)
        self.said = done.stdout + done.stderr
        self.whole = done.returncode == 0 and "the book is whole" in self.said
        rows = ROWS.search(self.said)
        self.rows = int(rows.group(1)) if rows else -1
        self.count = {name: int(count) for count, name in COUNTS.findall(self.said)}
        self.sums = {thousand: int(sum.replace(".", "")) for thousand, sum in SUMS.findall(self.said)}
