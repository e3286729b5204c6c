/** Which message: the `sequence`-th of its key, counted from 0 without a gap by whoever publishes. */
export interface LedgerEntry {
  readonly topic: string;
  readonly key: string;
  readonly sequence: number;
}

/** One offending message. */
export interface Evidence extends LedgerEntry {
  /** What was wrong, in a few words. */
  readonly detail: string;
}

/** How often something was wrong, and where first. */
export interface Finding {
  readonly count: number;
  /** The first offending entries, at most 10. */
  readonly first: readonly Evidence[];
}

/** Counts offences and keeps the first few. */
export interface Findings {
  readonly count: number;
  add(entry: LedgerEntry, detail: string): void;
  finding(): Finding;
}

const KEPT = 10;

/** Start to count one kind of offence. */
export function createFindings(): Findings {
  const first: Evidence[] = [];
  let count = 0;
  return {
    get count() {
      return count;
    },
    add(entry, detail) {
      count++;
      if (first.length >= KEPT) return;
      first.push({ topic: entry.topic, key: entry.key, sequence: entry.sequence, detail });
    },
    finding: () => ({ count, first: [...first] }),
  };
}
