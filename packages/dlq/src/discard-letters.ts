import type { Clock } from "@bus/core";
import { deathKey } from "./dead-letter-record.ts";
import type { LetterWork, OpenLetter, RunCounts } from "./dead-letter-run.ts";
import type { LetterEntry } from "./replay-log-state.ts";
import type { ReplayLease } from "./replay-lease.ts";
import type { ReplayLog } from "./replay-log.ts";

/** What discarding is made of. */
export interface DiscardParts {
  readonly clock: Clock;
  readonly run: string;
  readonly log: ReplayLog;
  readonly lease: ReplayLease;
  readonly counts: RunCounts;
  readonly by: string;
  readonly reason: string;
}

/** Marks dead letters as dealt with, with an audit record each that tells who, when, why and what. */
export class DiscardLetters implements LetterWork {
  readonly #parts: DiscardParts;

  constructor(parts: DiscardParts) {
    this.#parts = parts;
  }

  async carryOut(letters: readonly OpenLetter[]): Promise<void> {
    const { counts, lease, log } = this.#parts;
    lease.assertHeld();
    await log.append(letters.map((letter) => [deathKey(letter.summary), this.#audit(letter)]));
    counts.done += letters.length;
  }

  #audit({ summary }: OpenLetter): LetterEntry {
    const { by, reason, run, clock } = this.#parts;
    const { original, errorClass, fingerprint } = summary;
    const atMs = clock.now();
    return { kind: "discarded", run, atMs, by, reason, ...original, errorClass, fingerprint };
  }
}
