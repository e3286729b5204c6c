import { BusError, BusTransportError } from "@bus/core";
import type { Clock } from "@bus/core";
import { clientError } from "./map-kafka-error.ts";
import type { PendingRecord } from "./publish-call.ts";
import { WaitingRecords } from "./publish-buffer.ts";

/** What look-ups need. */
export interface TopicLookUpsParts {
  readonly clock: Clock;
  /** How long one may take, milliseconds. */
  readonly timeoutMs: number;
  /** Make sure that a topic may be published to, and learn its partitions. */
  readonly prepare: (topic: string) => Promise<void>;
  /** Let a record wait in a list until its own deadline. */
  readonly wait: (list: WaitingRecords, record: PendingRecord) => void;
  /** The topic of a record is known. */
  readonly route: (record: PendingRecord) => void;
}

interface LookUp {
  readonly waiting: WaitingRecords;
  readonly cancelDeadline: () => void;
}

/**
 * Looks a topic up before its first message; what comes meanwhile waits behind it, in order. A look-up that does not
 * end in time is given up, and the next message begins another.
 */
export class TopicLookUps {
  readonly #parts: TopicLookUpsParts;
  readonly #known = new Set<string>();
  readonly #running = new Map<string, LookUp>();

  constructor(parts: TopicLookUpsParts) {
    this.#parts = parts;
  }

  /** Route a record as soon as its topic is known. */
  accept(record: PendingRecord): void {
    if (this.#known.has(record.topic)) this.#parts.route(record);
    else this.#parts.wait(this.#lookUp(record.topic).waiting, record);
  }

  /** Give every look-up up; what waits is the caller's to fail. */
  close(): void {
    for (const { cancelDeadline } of this.#running.values()) cancelDeadline();
    this.#running.clear();
  }

  #lookUp(topic: string): LookUp {
    const running = this.#running.get(topic);
    if (running !== undefined) return running;
    const { clock, timeoutMs, prepare, route } = this.#parts;
    const cancelDeadline = clock.schedule(
      () => this.#fail(lookUp, topic, this.#late(topic)),
      timeoutMs,
    );
    const lookUp: LookUp = { waiting: new WaitingRecords(), cancelDeadline };
    this.#running.set(topic, lookUp);
    prepare(topic).then(
      () => {
        this.#known.add(topic);
        // Also when it comes late: what waits for a look-up that was begun since must not be overtaken.
        this.#end(this.#running.get(topic) ?? lookUp, topic, route);
      },
      (cause: unknown) => this.#fail(lookUp, topic, asBusError(topic, cause)),
    );
    return lookUp;
  }

  #fail(lookUp: LookUp, topic: string, error: BusError): void {
    this.#end(lookUp, topic, (record) => record.failed(error));
  }

  /** Nothing to do when it was given up before. */
  #end(lookUp: LookUp, topic: string, finish: (record: PendingRecord) => void): void {
    if (this.#running.get(topic) !== lookUp) return;
    lookUp.cancelDeadline();
    this.#running.delete(topic);
    const { waiting } = lookUp;
    for (let record = waiting.shift(); record !== undefined; record = waiting.shift())
      finish(record);
  }

  #late(topic: string): BusError {
    const { timeoutMs } = this.#parts;
    const message = `topic ${topic} could not be looked up within producer.timeoutMs (${timeoutMs})`;
    return new BusTransportError("BUS_PUBLISH_FAILED", message, { details: { topic } });
  }
}

function asBusError(topic: string, cause: unknown): BusError {
  return BusError.is(cause) ? cause : clientError({ doing: `looking up topic ${topic}`, cause });
}
