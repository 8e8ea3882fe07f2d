"""Cards at readers of PC/SC: a stranger's client, and the whole way from a payment to a sale.

Usage, with virtual readers around it: cargo xtask readers --count 4 -- PYTHON tests/card/run.py --binary ONECARD. The binary
is built with the feature `pcsc`. The last line is `N passed, M failed`.
"""

import argparse
import pathlib
import sys
import tempfile

import arithmetic
import client
import story
from bench import readers
from school import PEOPLE, School

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1]))
from tally import Tally

CARDS = ["2026000000000042", "2026000000000043", "2026000000000044"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    asked = parser.parse_args()
    tally = Tally()
    seats = readers()
    arithmetic.self_check(tally)
    with tempfile.TemporaryDirectory() as folder:
        school = School(asked.binary, folder)
        files = [school.issue(person, card) for (person, _, _), card in zip(PEOPLE[:2], CARDS)]
        files.append(school.personalise(PEOPLE[2][0], CARDS[2], seats[3]))
        identities = [school.enrol("000007", "七号窗口"), school.enrol("000008", "八号窗口")]
        masters = school.masters()
        client.everything(tally, asked.binary, seats[0], masters, (files[0], CARDS[0]))
        print(f"pyscard and opensc-tool with a contactless card: {tally.passed} checks held so far", flush=True)
        client.everything(tally, asked.binary, seats[1], masters, (files[1], CARDS[1]), "--contact")
        print(f"the same with a card of T=0: {tally.passed} checks held so far", flush=True)
        story.everything(tally, school, files[2], files[0], PEOPLE[2][0], identities, seats[2:4])
    print(f"{tally.passed} passed, {tally.failed} failed")
    return 0 if tally.failed == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
