"""Strangers' SDKs against the sandbox: what they cannot do here, they could not do with the platform.

Usage: run.py --binary ONECARD --modules NODE_MODULES. The last line is `N passed, M failed`.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

import python_sdk
from provider import Notices, Sandbox

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1]))
from tally import Tally


def node(tally, sandbox, modules):
    """The npm package in a process of its own; its counts are added."""
    script = pathlib.Path(__file__).with_name("node_sdk.mjs")
    line = ["node", str(script), str(pathlib.Path(modules).resolve()), sandbox.address, str(sandbox.merchant)]
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    ran = subprocess.run(line, capture_output=True, text=True, env=environment, timeout=300)
    print(ran.stdout, end="")
    print(ran.stderr, end="", file=sys.stderr)
    last = ran.stdout.strip().splitlines()[-1:] or [""]
    words = last[0].split()
    counted = len(words) == 4 and words[1] == "passed," and words[3] == "failed"
    if tally.check("the npm SDK's run ends with its counts", counted and ran.returncode in (0, 1), ran.returncode):
        tally.passed += int(words[0])
        tally.failed += int(words[2])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    parser.add_argument("--modules", required=True)
    asked = parser.parse_args()
    tally = Tally()
    with tempfile.TemporaryDirectory() as place:
        sandbox = Sandbox(asked.binary, str(pathlib.Path(place) / "sandbox"))
        notices = Notices()
        try:
            python_sdk.everything(tally, sandbox, notices)
            print(f"wechatpayv3 is through: {tally.passed} checks held", flush=True)
            node(tally, sandbox, asked.modules)
        finally:
            notices.stop()
            ended = sandbox.stop()
        tally.check("the sandbox ends well", ended == 0, ended)
        tally.check("the sandbox met no error", not [line for line in sandbox.log if "Z ERROR " in line], sandbox.log[-5:])
    print(f"{tally.passed} passed, {tally.failed} failed")
    return 0 if tally.failed == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
