import { InFlightGate, messageSizeBytes, murmur2, OffsetTracker } from "@bus/core/adapter";
import { measure, printTable, runSideBySide } from "./side-by-side.ts";

const MESSAGES = 1_000_000;
const ROUNDS = 5;
const BOUNDS = { maxMessages: 2000, maxBytes: 64 * 1024 * 1024 };
const BYTES = 200;

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
  const share = new InFlightGate(BOUNDS).share(() => {});
  for (let i = 0; i < MESSAGES; i += 1) {
    share.tryTake(BYTES);
    share.give(BYTES);
  }
}

/** Sixteen shares that are always refused, woken and filled again: the worst case of the gate. */
function takeAndGiveAtTheBound(): void {
  const gate = new InFlightGate(BOUNDS);
  let taken = 0;
  const shares = Array.from({ length: 16 }, () => {
    const share = gate.share(() => {
      while (share.tryTake(BYTES)) taken += 1;
    });
    return share;
  });
  for (const share of shares) while (share.tryTake(BYTES)) taken += 1;
  while (taken < MESSAGES) for (const share of shares) if (share.messages > 0) share.give(BYTES);
}

const KEYS = Array.from({ length: 1000 }, (_, i) =>
  new TextEncoder().encode(`order-${1_000_000 + i}`),
);
const HEADERS = [["content-type", new Uint8Array(16)]] as const;
const VALUE = new Uint8Array(BYTES);

/** Results are added up and looked at, so that no loop is optimised away. */
function addUp(valueOf: (index: number) => number): void {
  let sum = 0;
  for (let i = 0; i < MESSAGES; i += 1) sum += valueOf(i);
  if (Number.isNaN(sum)) throw new Error("not a number");
}

const hashKeys = (): void => addUp((i) => murmur2(KEYS[i % 1000] ?? VALUE));
const sizeMessages = (): void =>
  addUp((i) => messageSizeBytes({ key: KEYS[i % 1000] ?? null, value: VALUE, headers: HEADERS }));

const WORK = {
  "offset tracker: track + settle, in order": trackAndSettleInOrder,
  "offset tracker: track + settle, one slow per 1,000": trackAndSettleBehindSlowOnes,
  "in-flight gate: take + give": takeAndGive,
  "in-flight gate: take + give, 16 shares at the bound": takeAndGiveAtTheBound,
  "murmur2 of a key of 13 bytes": hashKeys,
  "size of a message with one header": sizeMessages,
};

const contenders = Object.entries(WORK).map(([name, work]) => ({
  name,
  run: () => measure(MESSAGES, work),
}));
printTable(
  `Building blocks of transports, ${MESSAGES.toLocaleString("en-US")} messages`,
  await runSideBySide(contenders, ROUNDS),
);
