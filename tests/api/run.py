"""The interface for programs, asked from outside: races, a stranger that reads its description, and the examples of clients,
also against a school that is hard to reach.

Usage: run.py --binary ONECARD --schemathesis PROGRAM [--rust EXAMPLE]. The last line is `N passed, M failed`.
"""

import argparse
import json
import pathlib
import signal
import sys
import tempfile

import broken
import clients
import race
import stranger
from holder import Holder

HERE = pathlib.Path(__file__).resolve()
sys.path += [str(HERE.parents[1]), str(HERE.parents[1] / "browser")]
from demo import Demo  # noqa: E402
from tally import Tally  # noqa: E402

PEOPLE = 12


def paid_by(demo, holder):
    """How the holder pays an order of a program: at the page that the program was told, with the provider's app."""

    def pay(number):
        holder.get(f"/pay/{number}")
        demo.payer(number)

    return pay


def told_again_after_a_kill(tally, demo, program):
    """An answer survives the server: killed and started again, it tells the same."""
    first = program.top_up(1_000, "killed")
    demo.restart(signal.SIGKILL)
    again = program.top_up(1_000, "killed")
    tally.same("an answer is told again after a kill", (again[0], again[2]), (first[0], first[2]))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    parser.add_argument("--schemathesis", required=True)
    parser.add_argument("--rust")
    asked = parser.parse_args()
    tally = Tally()
    broken.everything(tally, asked.rust)
    with tempfile.TemporaryDirectory() as place:
        demo = Demo(asked.binary, str(pathlib.Path(place) / "school"), PEOPLE)
        try:
            each = [Holder(demo.base, who["number"], who["initial_password"]) for who in demo.people[:3]]
            tokens = [holder.token("read", "topup") for holder in each]
            clients.everything(tally, asked.rust, demo.base, tokens[0], paid_by(demo, each[0]))
            race.everything(tally, demo.base, tokens[1], tokens[2])
            told_again_after_a_kill(tally, demo, race.Program(demo.base, tokens[0]))
            whole = each[0].token("read", "topup", "card")
            stranger.asks(tally, asked.schemathesis, demo.base, whole, place)
            answer = json.loads(race.Program(demo.base, tokens[0]).ask("GET", "/api/v1/me/records")[2])
            topped = [record for record in answer["records"] if record["kind"] == "top_up"]
            tally.check("the examples' money is among the records", len(topped) >= 1, topped)
        finally:
            ended = demo.stop()
        tally.same("the demo ends well", ended, 0)
        code, said = demo.verify()
        tally.check("the book adds up", code == 0, said)
        # Whoever tries everything reports a card lost more often than a holder would; that rings, as it should.
        errors = [line for line in demo.log if " ERROR " in line and "reported a card lost more than" not in line]
        tally.check("the demo met no error", not errors, errors[-5:])
    print(f"{tally.passed} passed, {tally.failed} failed")
    return 0 if tally.failed == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
