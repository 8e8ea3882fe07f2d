"""The examples of clients in `docs/clients`, each where its language is at home: they follow an order until it is paid."""

import os
import pathlib
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
CLIENTS = ROOT / "docs" / "clients"
SECONDS = 120


def lines(rust):
    """The command line of each example, and what must be there to run it."""
    return {
        "python": ("python3", ["python3", str(CLIENTS / "python/top_up.py"), "12.34"]),
        "javascript": ("node", ["node", str(CLIENTS / "javascript/top_up.mjs"), "12.34"]),
        "java": ("java", ["java", str(CLIENTS / "java/TopUp.java"), "12.34"]),
        "rust": (rust, [rust, "12.34", "rust-example"]),
    }


def run(tally, name, line, base, token, pay):
    """One example; `pay` pays an order as soon as the example names it."""
    environment = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
    environment |= {"ONECARD_ADDRESS": base, "ONECARD_TOKEN": token}
    process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)
    said = []
    for text in process.stdout:
        said.append(text.strip())
        if text.startswith("order "):
            pay(text.split()[1])
    ended = process.wait(SECONDS)
    first = said[:1] and said[0].startswith("balance ")
    tally.check(f"{name}: it tells the balance", bool(first), said)
    tally.check(f"{name}: its order is followed until the money is there", said[-1:] == ["place waiting_for_card"], said)
    tally.same(f"{name}: it ends well", ended, 0)
    refused = subprocess.run(
        [word if word != "12.34" else "999999" for word in line],
        capture_output=True, text=True, env=environment, timeout=SECONDS,
    )
    told = refused.stdout + refused.stderr
    tally.check(f"{name}: a refusal is told with its code", refused.returncode == 1 and "_" in told, told)


def everything(tally, rust, base, token, pay):
    for name, (needed, line) in lines(rust).items():
        if needed and shutil.which(needed):
            run(tally, name, line, base, token, pay)
        else:
            print(f"not run: {name}: no {needed or 'example was built'} here")
