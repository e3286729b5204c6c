import type { HeaderList } from "@bus/core";
import type { DeadLetterState, DeadLetterSummary } from "./dead-letter-record.ts";
import type {
  DiscardRequest,
  InspectRequest,
  ListRequest,
  ReplayRequest,
} from "./dead-letter-requests.ts";
import type { RunCounts } from "./dead-letter-run.ts";
import type { ReplayFailure } from "./replay-letters.ts";
import type { LetterEntry } from "./replay-log-state.ts";

/** A dead letter and where it stands. */
export interface ListedDeadLetter extends DeadLetterSummary {
  readonly state: DeadLetterState;
}

/** One death of a message with everything that was kept. */
export interface InspectedDeadLetter extends ListedDeadLetter {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  /** The message's own headers, without those of the dead letter. */
  readonly headers: HeaderList;
  readonly errorStack: string;
  /** What a schema found wrong, as JSON; empty where none did. */
  readonly errorIssues: string;
  /** What was done with this death last: by which run, when; for a discarded one also by whom and why. */
  readonly log: LetterEntry | undefined;
}

/** What a run did. */
export interface RunReport extends Readonly<RunCounts> {
  /** Names the run in the replay log; empty for a dry run. */
  readonly run: string;
  /** The first failures, one by one. */
  readonly failures: readonly ReplayFailure[];
}

/**
 * Looks at dead letters and deals with them. Everything works on the topic as it was when the call began; the bus must
 * be running. Needs the capability `lag`, to know where a topic ends.
 */
export interface DeadLetters {
  /** Dead letters, oldest failure first. */
  list(request: ListRequest): Promise<readonly ListedDeadLetter[]>;
  /** Every death of one message, first death first; empty when there is none. */
  inspect(request: InspectRequest): Promise<readonly InspectedDeadLetter[]>;
  /**
   * Publish dead letters to the topic they came from, in order per key; each only once, whoever replays and however
   * often. A second run waits until the first has ended. Rejects when the broker cannot be reached or the run was
   * aborted; calling again goes on where it ended.
   */
  replay(request: ReplayRequest): Promise<RunReport>;
  /** Mark dead letters as given up, with an audit record of who, when and why. They are never replayed. */
  discard(request: DiscardRequest): Promise<RunReport>;
}
