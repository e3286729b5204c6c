import type { BusStatus } from "../contracts/observer.ts";
import type { PartitionState } from "../contracts/transport.ts";

/** The message that holds the commit of its partition back. */
export interface HeadOfLine {
  readonly offset: bigint;
  /** Its key as UTF-8 text, at most 100 characters; `undefined` while it waits for its turn. */
  readonly key: string | null | undefined;
  /** What it is doing: its handler runs, it waits for its turn (behind its key, for a free place), or it has failed and waits for a retry or for its dead letter. */
  readonly state: "running" | "waiting" | "failing";
  /** The run that goes on or failed last, 1-based. */
  readonly attempt: number;
  /** When it was delivered, milliseconds since the Unix epoch. */
  readonly sinceMs: number;
  /** Class and code of the last error; its message may hold contents of the message. */
  readonly lastError: string | undefined;
}

/** A partition that this member owns. */
export interface PartitionInspection extends PartitionState {
  /** How long the committed offset has not moved while something was in flight, in milliseconds. */
  readonly stalledMs: number;
  /** What blocks the commit; `undefined` when nothing is in flight. */
  readonly head: HeadOfLine | undefined;
}

/** One membership. */
export interface GroupInspection {
  readonly group: string;
  readonly topics: readonly string[];
  readonly heldTopics: readonly string[];
  readonly partitions: readonly PartitionInspection[];
}

/** A message that has failed and not yet settled. */
export interface FailingMessage {
  readonly topic: string;
  readonly group: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly attempt: number;
  readonly failures: number;
  /** When it failed first, milliseconds since the Unix epoch. */
  readonly sinceMs: number;
  /** What the retry policy calls its last error. */
  readonly errorClass: string;
  /** Class and code of the last error. */
  readonly lastError: string;
}

/** What is going on inside a bus; bounded, without message contents. */
export interface BusInspection {
  readonly status: BusStatus;
  readonly groups: readonly GroupInspection[];
  /** Deliveries that have failed and not yet settled, oldest first, at most 100. */
  readonly failing: readonly FailingMessage[];
  /** What plugins tell of themselves, by plugin name. */
  readonly plugins: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}
