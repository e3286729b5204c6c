import { InFlightGate, messageSizeBytes, murmur2, OffsetTracker } from "@bus/core/adapter";

const MESSAGES = 1_000_000;
const RUNS = 5;

/** Receive in bulk and settle in order, as a fast handler does. */
function trackAndSettleInOrder(): void {
  const tracker = new OffsetTracker(0);
  for (let offset = 0; offset < MESSAGES; offset += 100) {
    const first = tracker.track(offset);
    for (let next = 1; next < 100; next += 1) tracker.track(offset + next);
    for (let ticket = first; ticket < first + 100; ticket += 1) tracker.settle(ticket);
  }
}

/** Settle everything behind the first offset of each 1,000: one slow key per 1,000 messages. */
function trackAndSettleBehindSlowOnes(): void {
  const tracker = new OffsetTracker(0);
  for (let offset = 0; offset < MESSAGES; offset += 1000) {
    const first = tracker.track(offset);
    for (let next = 1; next < 1000; next += 1) tracker.settle(tracker.track(offset + next));
    tracker.settle(first);
  }
}

/** One share that never meets the bound. */
function takeAndGive(): void {
  const share = new InFlightGate({ maxMessages: 2000, maxBytes: 64 * 1024 * 1024 }).share(() => {});
  for (let i = 0; i < MESSAGES; i += 1) {
    share.tryTake(200);
    share.give(200);
  }
}

/** Sixteen shares that are always refused, woken and filled again: the worst case of the gate. */
function takeAndGiveAtTheBound(): void {
  const gate = new InFlightGate({ maxMessages: 2000, maxBytes: 64 * 1024 * 1024 });
  let taken = 0;
  const shares = Array.from({ length: 16 }, () => {
    const share = gate.share(() => {
      while (share.tryTake(200)) taken += 1;
    });
    return share;
  });
  for (const share of shares) while (share.tryTake(200)) taken += 1;
  while (taken < MESSAGES) for (const share of shares) if (share.messages > 0) share.give(200);
}

const KEYS = Array.from({ length: 1000 }, (_, i) =>
  new TextEncoder().encode(`order-${1_000_000 + i}`),
);
const HEADERS = [["content-type", new Uint8Array(16)]] as const;
const VALUE = new Uint8Array(200);

function hashKeys(): void {
  let sum = 0;
  for (let i = 0; i < MESSAGES; i += 1) sum ^= murmur2(KEYS[i % 1000] ?? VALUE);
  if (sum === 1) throw new Error("the sum is only there to be used");
}

function sizeMessages(): void {
  let sum = 0;
  for (let i = 0; i < MESSAGES; i += 1)
    sum += messageSizeBytes({ key: KEYS[i % 1000] ?? null, value: VALUE, headers: HEADERS });
  if (sum === 1) throw new Error("the sum is only there to be used");
}

/** Nanoseconds per message: median of five runs after one to warm up. */
function medianNs(work: () => void): number {
  work();
  const runs = Array.from({ length: RUNS }, () => {
    const startedMs = performance.now();
    work();
    return ((performance.now() - startedMs) * 1e6) / MESSAGES;
  });
  return runs.toSorted((left, right) => left - right)[Math.floor(RUNS / 2)] ?? Number.NaN;
}

const CASES = {
  "offset tracker: track + settle, in order": trackAndSettleInOrder,
  "offset tracker: track + settle, one slow per 1,000": trackAndSettleBehindSlowOnes,
  "in-flight gate: take + give": takeAndGive,
  "in-flight gate: take + give, 16 shares at the bound": takeAndGiveAtTheBound,
  "murmur2 of a key of 13 bytes": hashKeys,
  "size of a message with one header": sizeMessages,
};

for (const [name, work] of Object.entries(CASES))
  console.log(`${medianNs(work).toFixed(1).padStart(8)} ns  ${name}`);
