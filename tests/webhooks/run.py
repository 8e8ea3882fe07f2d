"""Events and webhooks against the demo: a receiver written from the documentation, payments, a server that is killed.

Usage: python3 tests/webhooks/run.py --binary ONECARD. Standard library only. The last line is `N passed, M failed`.
"""

import argparse
import json
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.extend([str(ROOT / "tests"), str(ROOT / "tests" / "browser")])

from demo import Demo
from holder import Holder
from receiver import Receiver, is_from_the_school
from tally import Tally

# A refused delivery comes again after ten seconds, then thirty.
SOON, AGAIN = 60, 90
SECRET = re.compile(r"^ocwh_[0-9a-f]{64}$", re.MULTILINE)
TOKEN = re.compile(r"^oc_[0-9a-f]{64}$", re.MULTILINE)


def documented(tally):
    """The test vectors of the documentation, and what must not pass."""
    text = (ROOT / "docs" / "webhooks.md").read_text()
    rows = re.findall(r"^\| (`ocwh_.*?) \| `(\{.*?\})`.*? \| `(t=.*?)` \|$", text, re.MULTILINE)
    tally.same("vectors in the documentation", len(rows), 2)
    for secrets, body, header in rows:
        at = int(header.split(",")[0].removeprefix("t="))
        for secret in re.findall(r"`(\w+)`", secrets):
            good = (secret, header, body.encode(), at)
            tally.check(f"vector of {secret}", is_from_the_school(*good))
            tally.check(f"{secret}: another body", not is_from_the_school(secret, header, body.encode() + b" ", at))
            tally.check(f"{secret}: another secret", not is_from_the_school(secret + "x", header, body.encode(), at))
            tally.check(f"{secret}: an hour later", not is_from_the_school(secret, header, body.encode(), at + 3600))


def set_up(tally, demo, receiver, dead):
    """Two webhooks, one of which nobody answers, and two tokens."""
    add = ["webhook", "add", "--by", "story", "--from-start", "--name"]
    url = f"http://127.0.0.1:{receiver.port}/hook"
    token = ["api-client", "add", "--name"]
    portal, finance, twice, bad, whole, plain = demo.commands(
        [*add, "portal", "--url", url, "--numbers"],
        [*add, "finance", "--url", f"http://127.0.0.1:{dead}/", "--types", "topup.credited"],
        [*add, "portal", "--url", url],
        [*add, "elsewhere", "--url", "http://portal.example.edu.cn/"],
        [*token, "data centre", "--scopes", "events:read,events:numbers"],
        [*token, "screen", "--scopes", "events:read"],
    )
    tally.same("exit codes", [each[0] for each in (portal, finance, twice, bad, whole, plain)], [0, 0, 1, 1, 0, 0])
    tally.check("a name is one webhook's", "WEBHOOK_NAME_TAKEN" in twice[1], twice[1])
    tally.check("no plain HTTP to others", "WEBHOOK_ADDRESS" in bad[1], bad[1])
    secrets, tokens = SECRET.findall(portal[1]), TOKEN.findall(whole[1]) + TOKEN.findall(plain[1])
    tally.same("secrets shown", (len(secrets), len(tokens)), (1, 2))
    receiver.secrets = secrets
    return tokens


def beside(demo, *words):
    """A command beside the running server."""
    run = subprocess.run([demo.binary, *words, "--data", demo.folder], capture_output=True, text=True)
    return run.returncode, run.stdout + run.stderr


def credited(receiver, orders):
    return {event["order"] for event in receiver.of_type("topup.credited")} >= set(orders)


def in_order(tally, receiver, what):
    """All types were asked for: every place of the journal came, each after the one before."""
    seqs = [event["seq"] for event in receiver.order]
    tally.same(f"{what}: without a gap, in order", seqs, list(range(1, len(seqs) + 1)))
    tally.same(f"{what}: nothing was wrong", receiver.wrong, [])


def usual(tally, demo, receiver, holder):
    orders = [holder.pay(fen) for fen in (1000, 2500, 10000)]
    tally.check("payments are told", receiver.wait(lambda r: credited(r, orders), SOON), receiver.order)
    told = {event["order"]: event for event in receiver.of_type("topup.credited")}
    tally.same("amounts", [told[order]["amount_fen"] for order in orders], [1000, 2500, 10000])
    tally.same("whose", {told[order]["person_number"] for order in orders}, {holder.who["number"]})
    raw = b"".join(delivery["body"] for delivery in receiver.deliveries)
    for name, text in (("name", holder.who["name"]), ("card", holder.who["card"])):
        tally.check(f"no {name} goes out", text.encode() not in raw and json.dumps(text)[1:-1].encode() not in raw)
    in_order(tally, receiver, "as usual")
    return orders


def refused_and_killed(tally, demo, receiver, holder):
    """It keeps the events and says 500; the server is killed before it comes again."""
    receiver.answers(500)
    order = holder.pay(700)
    tally.check("it was told, and refused", receiver.wait(lambda r: credited(r, [order]), SOON))
    known = len(receiver.events)
    demo.restart(signal.SIGKILL)
    receiver.answers(204)
    tally.check("it is told again", receiver.wait(lambda r: r.repeated > 0 and r.deliveries[-1]["status"] == 204, AGAIN))
    tally.same("nothing new came of it", len(receiver.events), known)
    in_order(tally, receiver, "killed after a refusal")


def dark_and_killed(tally, demo, receiver, holder):
    """Nobody listens while money moves and the server is killed."""
    receiver.go_dark()
    holder.come_again()
    orders = [holder.pay(fen) for fen in (300, 400)]
    demo.restart(signal.SIGKILL)
    code, listed = beside(demo, "webhook", "list")
    tally.same("list beside the server", code, 0)
    tally.check("it says what waits", "portal" in listed and "2 webhook(s)" in listed, listed)
    code, said = beside(demo, "webhook", "test", "portal")
    tally.check("a test says that nobody answers", code == 1 and "did not answer" in said, said)
    receiver.come_back()
    tally.check("all of it comes", receiver.wait(lambda r: credited(r, orders), AGAIN))
    in_order(tally, receiver, "dark")


def asked(demo, token, query=""):
    request = urllib.request.Request(f"{demo.base}/api/v1/events{query}", headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def pulled(tally, demo, receiver, tokens):
    """Asking gives what was sent, page by page."""
    whole, plain = tokens
    read, after = [], "1-0"
    while True:
        page = asked(demo, whole, f"?after={after}&limit=100")
        read, after = read + page["events"], page["cursor"]
        if not page["more"]:
            break
    tally.same("asked for and sent are the same", read, receiver.order)
    masked = asked(demo, plain, "?limit=100")["events"]
    tally.same("numbers are told to who may have them", {event["person_number"] for event in masked}, {None})
    for wrong in ("oc_" + "0" * 64, "x"):
        try:
            asked(demo, wrong)
            status = 200
        except urllib.error.HTTPError as error:
            status = error.code
        tally.same("no events without a token", status, 401)


def again(tally, demo, receiver):
    """Told again from the start, with a new secret beside the old one."""
    known, before = len(receiver.events), len(receiver.deliveries)
    rotated, replayed, unknown = demo.commands(
        ["webhook", "rotate", "portal"],
        ["webhook", "replay", "portal", "--after", "1-0"],
        ["webhook", "resume", "portal"],
    )
    tally.same("exit codes", (rotated[0], replayed[0], unknown[0]), (0, 0, 1))
    old, fresh = receiver.secrets[0], SECRET.findall(rotated[1])[0]
    came = receiver.wait(lambda r: len(r.deliveries) > before and r.deliveries[-1]["upto"] == f"1-{known}", AGAIN)
    tally.check("everything comes again", came)
    tally.same("and nothing new", len(receiver.events), known)
    last = receiver.deliveries[-1]
    for name, secret in (("old", old), ("new", fresh)):
        good = is_from_the_school(secret, last["header"], last["body"], time.time())
        tally.check(f"signed with the {name} secret", good, last["header"])
    receiver.secrets = [fresh]
    code, said = beside(demo, "webhook", "test", "portal")
    tally.check("a test is taken", code == 0 and "status 204" in said, said)
    tally.same("it has no events", receiver.deliveries[-1]["events"], [])
    in_order(tally, receiver, "told again")


def restored(tally, demo, receiver, holder, elsewhere):
    """The machine is lost after the receiver was told of money that no backup has: it is told what survived."""
    backup, data = elsewhere / "backup", elsewhere / "school"
    code, said = beside(demo, "backup", "--to", str(backup))
    tally.same("a backup beside the server", code, 0)
    survived = len(receiver.events)
    holder.come_again()
    lost = [holder.pay(fen) for fen in (1100, 1200)]
    tally.check("told of what will be lost", receiver.wait(lambda r: credited(r, lost), SOON))
    demo.process.kill()
    demo.process.wait()
    command = [demo.binary, "restore", "--from", str(backup), "--data", str(data)]
    run = subprocess.run(command, capture_output=True, text=True)
    tally.check("the backup comes back", run.returncode == 0, run.stdout + run.stderr)
    # What is not the school's but of the world around it: the provider and the cards, and the terminals' own folders.
    for part in ("sandbox", "cards", "terminals"):
        shutil.copytree(pathlib.Path(demo.folder) / part, data / part, dirs_exist_ok=True)
    demo.folder = str(data)
    demo.start(demo.base.rsplit(":", 1)[1])
    tally.check("it is told of the restore", receiver.wait(lambda r: "2-0" in r.events, AGAIN), receiver.order[-3:])
    told = receiver.events["2-0"]
    tally.same("what survived", told["survived"], [{"epoch": 1, "first_seq": 1, "last_seq": survived}])
    holder.come_again()
    order = holder.pay(1300)
    tally.check("the next payment comes", receiver.wait(lambda r: credited(r, [order]), AGAIN))
    dropped = [event for event in receiver.order if event["epoch"] == 1 and event["seq"] > survived]
    tally.same("what did not survive", sorted(event["order"] for event in dropped), sorted(lost))
    fresh = [event["seq"] for event in receiver.order if event["epoch"] == 2]
    tally.same("the new epoch has no gap", fresh, [0, *range(survived + 1, survived + len(fresh))])
    tally.same("nothing was wrong", receiver.wrong, [])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    options = parser.parse_args()
    tally, receiver = Tally(), Receiver()
    documented(tally)
    nobody = Receiver()
    nobody.go_dark()
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as elsewhere:
        demo = Demo(options.binary, folder, 40)
        try:
            tokens = set_up(tally, demo, receiver, nobody.port)
            holder = Holder(demo, demo.people[0])
            tally.same("a holder is in", holder.enter(), "/me")
            usual(tally, demo, receiver, holder)
            refused_and_killed(tally, demo, receiver, holder)
            dark_and_killed(tally, demo, receiver, holder)
            pulled(tally, demo, receiver, tokens)
            again(tally, demo, receiver)
            restored(tally, demo, receiver, holder, pathlib.Path(elsewhere))
            removed, listed = demo.commands(["webhook", "remove", "finance"], ["webhook", "list"])
            tally.check("a removed one is gone", removed[0] == 0 and "1 webhook(s)" in listed[1], listed[1])
        finally:
            demo.stop()
        tally.same("the book is whole", demo.verify()[0], 0)
    print(f"{tally.passed} passed, {tally.failed} failed")
    return 0 if tally.failed == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
