// Tops up a campus card: Node.js 18 and later, nothing to install.
//
// ONECARD_ADDRESS=https://card.example.edu ONECARD_TOKEN=oc_... node top_up.mjs 50.00 [KEY]
// The token needs the rights `read` and `topup`. KEY names this top-up for good: whoever runs the same line again gets the
// same order. Without one a new one is made and told.

import { randomUUID } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";

const address = process.env.ONECARD_ADDRESS.replace(/\/+$/, "");
const token = process.env.ONECARD_TOKEN;
const tries = 5;
const ended = new Set(["ended", "in_case", "waiting_for_card", "on_card", "in_account", "refunded"]);

/** The school says no; `code` is stable, `en` and `zh` are for people. */
class Refused extends Error {
  constructor(problem) {
    super(`${problem.code}: ${problem.en}`);
    this.problem = problem;
  }
}

/** One call; again when it is not known whether it arrived, or when the server asks for patience. */
async function call(method, path, body, key) {
  const headers = { authorization: `Bearer ${token}`, accept: "application/json", "accept-language": "en" };
  if (body) Object.assign(headers, { "content-type": "application/json", "idempotency-key": key });
  for (let left = tries - 1; ; left -= 1) {
    let seconds = 1;
    try {
      const answer = await fetch(address + path, {
        method,
        headers,
        body: body && JSON.stringify(body),
        signal: AbortSignal.timeout(15_000),
      });
      // What is no JSON, or has no code, is not from the school but from a proxy before it.
      const content = await answer.json();
      if (answer.ok) return content;
      if (!content?.code) throw new Error(`HTTP ${answer.status} is not from the school`);
      const patience = answer.headers.get("retry-after");
      if (patience === null || left === 0) throw new Refused(content);
      seconds = Number(patience);
    } catch (error) {
      if (error instanceof Refused || left === 0) throw error;
    }
    // The same key: however often this is repeated, it is one order.
    await wait(seconds * 1000);
  }
}

const yuan = (fen) => `${Math.trunc(fen / 100)}.${String(Math.abs(fen % 100)).padStart(2, "0")}`;

/** Fen of an amount in yuan as typed, without binary fractions. */
function fen(typed) {
  const found = /^(\d+)(?:\.(\d{1,2}))?$/.exec(typed);
  if (!found) throw new Error(`${typed} is no amount of whole fen`);
  const [, whole, part = ""] = found;
  return Number(whole) * 100 + Number(part.padEnd(2, "0"));
}

async function main() {
  const amount = fen(process.argv[2]);
  const key = process.argv[3] ?? randomUUID();
  console.log("balance", yuan((await call("GET", "/api/v1/me")).total_fen));
  // Told before the first try: if this program dies, the same key finds the same order.
  console.log("key", key);
  const made = await call("POST", "/api/v1/me/topup", { amount_fen: amount }, key);
  console.log("order", made.number, "pay at", made.pay_address);
  for (let place; !ended.has(place); ) {
    const order = await call("GET", `/api/v1/me/orders/${made.number}`);
    if (order.place !== place) console.log("place", (place = order.place));
    if (!ended.has(place)) await wait(2000);
  }
}

main().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
