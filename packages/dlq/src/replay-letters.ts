import { BusError, publishOutcomesOf } from "@bus/core";
import type { OutgoingMessage, PluginHost, PublishOutcome } from "@bus/core";
import { replayHeaders } from "./dead-letter-headers.ts";
import { deathKey } from "./dead-letter-record.ts";
import type { LetterWork, OpenLetter, RunCounts } from "./dead-letter-run.ts";
import type { Pacer } from "./pacer.ts";
import type { LetterEntry } from "./replay-log-state.ts";
import type { ReplayLease } from "./replay-lease.ts";
import type { ReplayLog } from "./replay-log.ts";

/** Most failures that a report tells one by one. */
const MAX_REPORTED = 20;

/** A dead letter that could not be published, or may not have been. */
export interface ReplayFailure {
  readonly id: string;
  readonly error: unknown;
}

/** What became of letters; `unknown`: the broker did not say. */
type ReplayResults = Map<OpenLetter, "failed" | "replayed" | "unknown">;

/** What replaying is made of. */
export interface ReplayParts {
  readonly host: Pick<PluginHost, "publish" | "clock">;
  readonly run: string;
  readonly log: ReplayLog;
  readonly lease: ReplayLease;
  readonly pacer: Pacer;
  readonly counts: RunCounts;
  readonly failures: ReplayFailure[];
  readonly signal: AbortSignal;
}

/**
 * Publishes dead letters where they came from. Each is claimed in the log before and marked after, so that a run that
 * died leaves behind which ones it may have published. Of a key one message is published at a time, and none after one
 * that failed.
 */
export class ReplayLetters implements LetterWork {
  readonly #parts: ReplayParts;
  readonly #stuckKeys = new Set<string>();

  constructor(parts: ReplayParts) {
    this.#parts = parts;
  }

  async carryOut(letters: readonly OpenLetter[]): Promise<void> {
    const { log, counts, lease } = this.#parts;
    lease.assertHeld();
    const repeated = new Set(letters.filter((one) => log.letter(keyOf(one))?.kind === "claimed"));
    await log.append(letters.map((one) => [keyOf(one), this.#entry("claimed")]));
    // What is not published in the end is given back; what may have been stays claimed.
    const results: ReplayResults = new Map(letters.map((one) => [one, "failed"]));
    try {
      for (const wave of this.#waves(letters)) await this.#publish(wave, results);
    } finally {
      for (const [letter, result] of results)
        if (result === "replayed" && repeated.has(letter)) counts.repeated += 1;
      await log.append(
        [...results].flatMap(([letter, result]) =>
          result === "unknown" ? [] : [[keyOf(letter), this.#entry(result)] as const],
        ),
      );
    }
  }

  /** Letters in the order in which they may be published: no two of one key at once. */
  *#waves(letters: readonly OpenLetter[]): Generator<readonly OpenLetter[]> {
    const { pacer } = this.#parts;
    let left = letters;
    while (left.length > 0) {
      const keys = new Set<string>();
      const wave: OpenLetter[] = [];
      const later: OpenLetter[] = [];
      for (const letter of left) {
        const key = messageKey(letter);
        const fits = key === undefined || !keys.has(key);
        if (key !== undefined) keys.add(key);
        if (fits && wave.length < pacer.stepMessages) wave.push(letter);
        else later.push(letter);
      }
      yield wave;
      left = later;
    }
  }

  async #publish(wave: readonly OpenLetter[], results: ReplayResults): Promise<void> {
    const { counts, host, lease, pacer, signal } = this.#parts;
    const free = wave.filter((letter) => !this.#isStuck(letter));
    counts.heldBack += wave.length - free.length;
    if (free.length === 0) return;
    if (!(await pacer.pass(free.length, signal)))
      throw new BusError("BUS_ABORTED", "the replay was aborted", { cause: signal.reason });
    lease.assertHeld();
    const outcomes = await publishAll(host, free.map(replayed));
    const errors = free.flatMap((letter, index) => this.#note(letter, outcomes[index], results));
    // The broker is not there: going on would fail every letter that is left.
    const fatal = errors.find(({ retryable }) => retryable);
    if (fatal !== undefined) throw fatal;
  }

  /** Note what became of one letter; returns its error when it failed. */
  #note(
    letter: OpenLetter,
    outcome: PublishOutcome | undefined,
    results: ReplayResults,
  ): readonly BusError[] {
    const { counts, failures } = this.#parts;
    if (outcome?.kind !== "failed") {
      results.set(letter, "replayed");
      counts.done += 1;
      return [];
    }
    const { error } = outcome;
    if (error.code === "BUS_OUTCOME_UNKNOWN") results.set(letter, "unknown");
    counts.failed += 1;
    if (failures.length < MAX_REPORTED) failures.push({ id: letter.summary.id, error });
    const key = messageKey(letter);
    if (key !== undefined) this.#stuckKeys.add(key);
    return [error];
  }

  #isStuck(letter: OpenLetter): boolean {
    const key = messageKey(letter);
    return key !== undefined && this.#stuckKeys.has(key);
  }

  #entry(kind: "claimed" | "failed" | "replayed"): LetterEntry {
    return { kind, run: this.#parts.run, atMs: this.#parts.host.clock.now() };
  }
}

async function publishAll(
  host: Pick<PluginHost, "publish">,
  messages: readonly OutgoingMessage[],
): Promise<readonly PublishOutcome[]> {
  try {
    const receipts = await host.publish(messages);
    return receipts.map((receipt) => ({ kind: "stored", receipt }));
  } catch (error) {
    const outcomes = publishOutcomesOf(error);
    if (outcomes !== undefined) return outcomes;
    if (!BusError.is(error)) throw error;
    return messages.map(() => ({ kind: "failed", error }));
  }
}

function replayed({ summary, delivery }: OpenLetter): OutgoingMessage {
  const { key, value, headers } = delivery;
  return { topic: summary.original.topic, key, value, headers: replayHeaders(headers) };
}

/** Stands for a key in its topic; messages without a key have no order among each other. */
function messageKey({ summary, delivery }: OpenLetter): string | undefined {
  if (delivery.key === null) return undefined;
  return `${summary.original.topic}\n${Buffer.from(delivery.key).toString("latin1")}`;
}

function keyOf({ summary }: OpenLetter): string {
  return deathKey(summary);
}
