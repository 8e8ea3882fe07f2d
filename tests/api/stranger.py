"""Schemathesis, a stranger that has read the OpenAPI document alone, asks everything that comes to its mind."""

import subprocess

SEED = "20261123"
EXAMPLES = "60"
SECONDS = "90"
# A token may ask 3,000 times a minute; a stranger who keeps to that is never told to wait.
RATE = "2900/m"
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "allow_header_conformance",
    "missing_required_header",
    "negative_data_rejection",
    "ignored_auth",
)


def asks(tally, program, base, token, folder):
    """Counts each kind of answer that it looked for as one check; whatever it found is printed."""
    line = [
        program, "run", f"{base}/api/v1/openapi.json", "--checks", ",".join(CHECKS),
        "--header", f"Authorization:Bearer {token}", "--seed", SEED, "--max-examples", EXAMPLES, "--max-time", SECONDS,
        "--phases", "examples,coverage,fuzzing", "--rate-limit", RATE, "--continue-on-failure", "--no-color",
        "--output-sanitize", "true",
    ]
    done = subprocess.run(line, capture_output=True, text=True, timeout=int(SECONDS) * 3, cwd=folder)
    print(done.stdout if done.returncode else "\n".join(done.stdout.splitlines()[-12:]))
    print(done.stderr, end="")
    for check in CHECKS:
        tally.check(f"schemathesis: {check}", done.returncode == 0 or (done.returncode == 1 and check not in done.stdout))
    tally.same("schemathesis ends well", done.returncode, 0)
