/** What was done with one death of a message. */
export type LetterEntry =
  | {
      readonly kind: "claimed" | "failed" | "replayed";
      readonly run: string;
      readonly atMs: number;
    }
  | (DiscardAudit & { readonly kind: "discarded"; readonly run: string; readonly atMs: number });

/** What remains of a discarded dead letter: who, when, why, and what it was. */
export interface DiscardAudit {
  readonly by: string;
  readonly reason: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  readonly errorClass: string;
  readonly fingerprint: string;
}

/** Who works on a dead-letter topic. */
export type LeaseEntry =
  | {
      readonly kind: "lease";
      readonly run: string;
      readonly atMs: number;
      readonly untilMs: number;
    }
  | { readonly kind: "released"; readonly run: string; readonly atMs: number };

/** One record of a replay log. */
export type LogEntry = LetterEntry | LeaseEntry;

/** A run that holds the lease. */
export interface LeaseHolder {
  readonly run: string;
  /** Milliseconds since the Unix epoch; afterwards anybody may take over. */
  readonly untilMs: number;
}

/**
 * What a replay log says, computed record by record: every reader of the same log comes to the same result. A lease is
 * taken by the first record that asks for it while nobody holds it; a later one is void and has to ask again.
 */
export class ReplayLogState {
  readonly #letters = new Map<string, LetterEntry>();
  #holder: LeaseHolder | undefined;

  /** Who works on the topic, as far as the log tells; its time may be over. */
  get holder(): LeaseHolder | undefined {
    return this.#holder;
  }

  /** What was done with a death. */
  letter(deathKey: string): LetterEntry | undefined {
    return this.#letters.get(deathKey);
  }

  /** Take one record in; what is none is passed over. */
  apply(key: string, entry: LogEntry): void {
    switch (entry.kind) {
      case "lease":
        return this.#lease(entry.run, entry.atMs, entry.untilMs);
      case "released":
        if (this.#holder?.run === entry.run) this.#holder = undefined;
        return undefined;
      case "claimed":
      case "failed":
      case "replayed":
      case "discarded":
        return this.#letter(key, entry);
      default:
        return entry satisfies never;
    }
  }

  #lease(run: string, atMs: number, untilMs: number): void {
    const holder = this.#holder;
    const isFree = holder === undefined || holder.run === run || holder.untilMs <= atMs;
    if (isFree) this.#holder = { run, untilMs };
  }

  /** What is done stays done, whatever a run that was fenced writes late. */
  #letter(key: string, entry: LetterEntry): void {
    const before = this.#letters.get(key)?.kind;
    const isDone = before === "replayed" || before === "discarded";
    if (!isDone) this.#letters.set(key, entry);
  }
}

const KINDS: ReadonlySet<unknown> = new Set([
  "lease",
  "released",
  "claimed",
  "failed",
  "replayed",
  "discarded",
]);

/** A record's value; `undefined` for one that nobody of ours wrote. */
export function parseLogEntry(value: Uint8Array | null): LogEntry | undefined {
  if (value === null) return undefined;
  try {
    const entry: unknown = JSON.parse(new TextDecoder().decode(value));
    if (typeof entry !== "object" || entry === null) return undefined;
    if (!("kind" in entry) || !KINDS.has(entry.kind)) return undefined;
    if (!("run" in entry) || typeof entry.run !== "string") return undefined;
    // Only `ReplayLog` writes these kinds, and it writes whole entries.
    return entry as LogEntry;
  } catch {
    // Somebody else's record; the log goes on without it.
    return undefined;
  }
}
