import { BusTransportError } from "@bus/core";
import type { BusError, Clock } from "@bus/core";
import type { NativeError, NativeListeners, NativePosition } from "./confluent-client-types.ts";
import { LOCAL, mapConfluentError } from "./map-confluent-error.ts";

/** Stands for a commit that waits for the one before it. */
const NOTHING: readonly NativePosition[] = Object.freeze([]);

/** What commits need. */
export interface OffsetCommitsParts {
  readonly group: string;
  readonly clock: Clock;
  /** How long the broker's answer may take, milliseconds. */
  readonly timeoutMs: number;
}

/** What of a consumer commits. */
export interface CommittingClient {
  /** See `NativeConsumer.commit`. */
  commit(positions: readonly NativePosition[]): unknown;
  on(name: "offset.commit", listener: NativeListeners["offset.commit"]): unknown;
}

interface Waiting {
  readonly positions: readonly NativePosition[];
  resolve(): void;
  reject(error: unknown): void;
}

/**
 * Commits with the broker's own answer: the client's commit calls return before the request is sent, and only its
 * `offset.commit` event knows what became of it.
 *
 * One commit is on its way at a time, also when nobody waits for it any more: requests that pile up before a slow
 * coordinator delay heartbeats until the member is expelled.
 */
export class OffsetCommits {
  readonly #parts: OffsetCommitsParts;
  #client: CommittingClient | undefined;
  #hasLeft = false;
  #onWay: readonly NativePosition[] | undefined;
  #waiting: Waiting | undefined;
  #answered: (() => void)[] = [];

  constructor(parts: OffsetCommitsParts) {
    this.#parts = parts;
  }

  /** Whether an answer is on its way, which arrives only while the client is polled. */
  get isWaiting(): boolean {
    return this.#onWay !== undefined;
  }

  /** The client to commit through. */
  attach(client: CommittingClient): void {
    this.#client = client;
    client.on("offset.commit", (error, positions) => this.#answer(error, positions));
  }

  /**
   * Commit no more: what is on its way is not this member's to commit any more.
   *
   * @returns Resolves when the client has the answer to what was on its way.
   */
  leave(): Promise<void> {
    this.#hasLeft = true;
    this.#waiting?.reject(notMember(this.#parts.group));
    return new Promise((resolve) => this.#whenAnswered(resolve));
  }

  /** No broker can be reached: whoever waits need not wait until the time is over. The commit itself may still arrive. */
  unreachable(cause: BusError): void {
    const message = `${this.#doing} failed: ${cause.message}`;
    const details = { group: this.#parts.group };
    this.#waiting?.reject(new BusTransportError("BUS_TRANSPORT", message, { cause, details }));
  }

  /**
   * Store positions; calls must not overlap.
   *
   * @throws BusTransportError `BUS_FENCED` when this member may not commit, `BUS_TRANSPORT` when there was no answer.
   */
  async commit(positions: readonly NativePosition[]): Promise<void> {
    if (positions.length === 0) return;
    const deadlineAtMs = this.#parts.clock.monotonicMs() + this.#parts.timeoutMs;
    await this.#until(deadlineAtMs, (done) => {
      this.#waiting = { positions: NOTHING, resolve: done, reject: done };
      this.#whenAnswered(done);
    });
    if (this.#hasLeft) throw notMember(this.#parts.group);
    await this.#until(deadlineAtMs, (done) => this.#start(positions, done));
  }

  #start(positions: readonly NativePosition[], done: (error?: unknown) => void): void {
    this.#waiting = { positions, resolve: () => done(), reject: done };
    this.#onWay = positions;
    try {
      this.#client?.commit(positions);
    } catch (error) {
      this.#onWay = undefined;
      this.#waiting.reject(this.#mapped(error, positions));
    }
  }

  #answer(error: NativeError | undefined, answered: readonly NativePosition[]): void {
    const onWay = this.#onWay;
    if (onWay === undefined || !isSame(onWay, answered)) return;
    this.#onWay = undefined;
    if (this.#waiting?.positions === onWay) {
      if (error === undefined || error.code === LOCAL.noOffset) this.#waiting.resolve();
      else this.#waiting.reject(this.#mapped(error, onWay));
    }
    this.#tellAnswered();
  }

  #whenAnswered(done: () => void): void {
    if (this.#onWay === undefined) done();
    else this.#answered.push(done);
  }

  #tellAnswered(): void {
    const told = this.#answered;
    this.#answered = [];
    for (const tell of told) tell();
  }

  #until(deadlineAtMs: number, start: (done: (error?: unknown) => void) => void): Promise<void> {
    const { clock } = this.#parts;
    return new Promise((resolve, reject) => {
      const cancel = clock.schedule(
        () => {
          this.#waiting = undefined;
          reject(this.#noAnswer());
        },
        Math.max(0, deadlineAtMs - clock.monotonicMs()),
      );
      start((error) => {
        cancel();
        this.#waiting = undefined;
        if (error === undefined) resolve();
        else reject(error);
      });
    });
  }

  #mapped(error: unknown, positions: readonly NativePosition[]): unknown {
    const { group } = this.#parts;
    const partitions = positions.map(({ topic, partition }) => `${topic}[${partition}]`);
    return mapConfluentError(error, { doing: this.#doing, details: { group, partitions } });
  }

  #noAnswer(): BusTransportError {
    const message = `${this.#doing} failed: the broker has not answered within ${this.#parts.timeoutMs} ms`;
    return new BusTransportError("BUS_TRANSPORT", message, {
      details: { group: this.#parts.group },
    });
  }

  get #doing(): string {
    return committing(this.#parts.group);
  }
}

/** The error of a commit by who is not a member of the group. */
export function notMember(group: string): BusTransportError {
  const message = `${committing(group)} failed: this process is not a member of the group now`;
  return new BusTransportError("BUS_FENCED", message, { details: { group } });
}

function committing(group: string): string {
  return `committing offsets of group ${group}`;
}

function isSame(asked: readonly NativePosition[], answered: readonly NativePosition[]): boolean {
  const offsets = new Map(
    answered.map(({ topic, partition, offset }) => [`${topic}/${partition}`, offset]),
  );
  return asked.every(
    ({ topic, partition, offset }) => offsets.get(`${topic}/${partition}`) === offset,
  );
}
