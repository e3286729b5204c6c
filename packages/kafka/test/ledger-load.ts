import { setTimeout as sleep } from "node:timers/promises";
import { createEventBus, publishOutcomesOf } from "@bus/core";
import type { ConfiguredTransport, OutgoingMessage, Transport } from "@bus/core";
import { checkLedger, testHost, until } from "@bus/testkit";
import type { Ledger, LedgerBounds, LedgerEntry } from "@bus/testkit";

/** What a load publishes. */
export interface Load {
  readonly topic: string;
  readonly keys: number;
  readonly ledger: Ledger;
  /** Messages of one call of `publish`. */
  readonly perCall?: number;
  /** Pause between two calls. */
  readonly pauseMs?: number;
}

/** A publisher at work. */
export interface RunningLoad {
  /** Stop, wait for the last call and disconnect; returns how many messages were acknowledged. */
  stop(): Promise<number>;
  readonly acknowledged: number;
  /** Longest time between two acknowledged calls. */
  readonly longestGapMs: number;
}

/** Publish numbered messages, key after key, until stopped. Rejects in `stop` when a message was not acknowledged. */
export async function startLoad(configured: ConfiguredTransport, load: Load): Promise<RunningLoad> {
  const transport = configured.create(testHost());
  await transport.connect();
  const state = { isStopped: false, acknowledged: 0, longestGapMs: 0 };
  const running = publishUntilStopped(transport, load, state);
  running.catch(() => undefined);
  return {
    get acknowledged() {
      return state.acknowledged;
    },
    get longestGapMs() {
      return state.longestGapMs;
    },
    stop: async () => {
      state.isStopped = true;
      await running;
      await transport.close({ drainTimeoutMs: 10_000 });
      return state.acknowledged;
    },
  };
}

async function publishUntilStopped(
  transport: Transport,
  { topic, keys, ledger, perCall = 100, pauseMs = 0 }: Load,
  state: { isStopped: boolean; acknowledged: number; longestGapMs: number },
): Promise<void> {
  let lastMs = performance.now();
  for (let next = 0; !state.isStopped; next += perCall) {
    const entries = Array.from({ length: perCall }, (_, index) =>
      entryAt(topic, keys, next + index),
    );
    try {
      await transport.publish(entries.map(messageOf));
    } catch (error) {
      throw new Error(`not acknowledged: ${describeFailure(error)}`, { cause: error });
    }
    for (const entry of entries) ledger.published(entry);
    state.acknowledged += perCall;
    state.longestGapMs = Math.max(state.longestGapMs, performance.now() - lastMs);
    lastMs = performance.now();
    if (pauseMs > 0) await sleep(pauseMs);
  }
}

function describeFailure(error: unknown): string {
  const outcomes = publishOutcomesOf(error);
  const first = outcomes?.find((outcome) => outcome.kind === "failed");
  return first === undefined ? String(error) : `${first.error.code} ${first.error.message}`;
}

/** Publish so many messages, in calls of 1,000. */
export async function publishAll(
  configured: ConfiguredTransport,
  load: Load & { readonly count: number },
): Promise<void> {
  const transport = configured.create(testHost());
  await transport.connect();
  for (let next = 0; next < load.count; next += 1_000) {
    const length = Math.min(1_000, load.count - next);
    const entries = Array.from({ length }, (_, index) =>
      entryAt(load.topic, load.keys, next + index),
    );
    await transport.publish(entries.map(messageOf));
    for (const entry of entries) load.ledger.published(entry);
  }
  await transport.close({ drainTimeoutMs: 10_000 });
}

/** A member at work. */
export interface RunningMember {
  readonly handled: number;
  /** Handler runs that have begun and not ended. */
  readonly running: number;
  /** Longest time between two messages handled. */
  readonly longestGapMs: number;
  close(drainTimeoutMs?: number): Promise<void>;
}

/** Where a member consumes. */
export interface MemberOptions {
  readonly group: string;
  readonly topic: string;
  readonly ledger: Ledger;
  /** How long a handler takes; at once when absent. */
  readonly handlerMs?: number;
}

/** Join a group with a bus, partition order, every run in the ledger. */
export async function startMember(
  configured: ConfiguredTransport,
  options: MemberOptions,
): Promise<RunningMember> {
  const { group, topic, ledger, handlerMs } = options;
  const bus = createEventBus({ group, transport: configured });
  const state = { handled: 0, running: 0, longestGapMs: 0, lastMs: performance.now() };
  await bus.subscribe(topic, async (message, { signal }) => {
    const run = ledger.handling(entryFrom(topic, message.value));
    state.running += 1;
    try {
      if (handlerMs !== undefined) await sleep(handlerMs, undefined, { signal });
      run.done();
      state.handled += 1;
    } catch (error) {
      run.failed();
      throw error;
    } finally {
      state.running -= 1;
      state.longestGapMs = Math.max(state.longestGapMs, performance.now() - state.lastMs);
      state.lastMs = performance.now();
    }
  });
  await bus.start();
  return {
    get handled() {
      return state.handled;
    },
    get running() {
      return state.running;
    },
    get longestGapMs() {
      return state.longestGapMs;
    },
    close: async (drainTimeoutMs = 10_000) => void (await bus.close({ drainTimeoutMs })),
  };
}

/** Wait until everything published was handled and committed, and hold the books against the bounds. */
export async function closeBooks(
  configured: ConfiguredTransport,
  where: { readonly group: string; readonly ledger: Ledger; readonly timeoutMs?: number },
  bounds: LedgerBounds = {},
): Promise<void> {
  const { group, ledger, timeoutMs = 30_000 } = where;
  await until(() => ledger.outstanding === 0, {
    timeoutMs,
    what: "every message to be handled",
    state: () => ledger.outstanding,
  });
  const transport = configured.create(testHost());
  await transport.connect();
  const reader = transport.capabilities.lag;
  if (reader === undefined) throw new TypeError("the transport has no lag reader");
  const isDrained = async (): Promise<boolean> =>
    (await ledger.verdict({ reader, group })).drained?.count === 0;
  await until(isDrained, { timeoutMs, what: "everything to be committed" });
  const verdict = await ledger.verdict({ reader, group });
  await transport.close({ drainTimeoutMs: 1_000 });
  checkLedger(verdict, bounds);
}

function entryAt(topic: string, keys: number, index: number): LedgerEntry {
  return { topic, key: `key-${index % keys}`, sequence: Math.floor(index / keys) };
}

function messageOf({ topic, key, sequence }: LedgerEntry): OutgoingMessage {
  return { topic, key: Buffer.from(key), value: Buffer.from(`${key}/${sequence}`), headers: [] };
}

function entryFrom(topic: string, value: Uint8Array | null): LedgerEntry {
  const [key = "", sequence = ""] = Buffer.from(value ?? [])
    .toString()
    .split("/");
  return { topic, key, sequence: Number(sequence) };
}
