"""Counting, for every test that is a program."""


class Tally:
    """Counts what was checked, and says at once what did not hold."""

    def __init__(self):
        self.passed = 0
        self.failed = 0

    def check(self, what, holds, seen=""):
        if holds:
            self.passed += 1
        else:
            self.failed += 1
            print(f"FAILED {what}" + (f": {seen}" if seen != "" else ""), flush=True)
        return holds

    def same(self, what, found, wanted):
        def shown(value):
            return value.hex() if isinstance(value, bytes) else repr(value)

        return self.check(what, found == wanted, f"{shown(found)} instead of {shown(wanted)}")
