import { BusError, BusTransportError } from "@bus/core";
import type { OutgoingMessage } from "@bus/core";
import type { PendingMessage } from "./pending-message.ts";
import { SubjectLane } from "./subject-lane.ts";

/** Lanes that are kept although nothing is on its way there. */
const IDLE_LANES = 4_096;

/** Where a message goes. */
export interface SubjectRoute {
  readonly subject: string;
  readonly partition: number;
}

/** What the lanes need. */
export interface SubjectLanesParts {
  /** Where a message goes. A `BusError` thrown is the message's outcome. */
  readonly route: (message: OutgoingMessage) => SubjectRoute;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly overtaken: (message: PendingMessage) => void;
}

/** The lanes of all subjects in use, and those that have something to send, in turn. */
export class SubjectLanes {
  readonly #parts: SubjectLanesParts;
  readonly #lanes = new Map<string, SubjectLane>();
  readonly #listed: SubjectLane[] = [];
  #turn = 0;

  constructor(parts: SubjectLanesParts) {
    this.#parts = parts;
  }

  /** The lane of a message, or why it has none. */
  of(message: OutgoingMessage): SubjectLane | BusError {
    try {
      const { subject, partition } = this.#parts.route(message);
      return this.#lanes.get(subject) ?? this.#make(subject, partition);
    } catch (error) {
      if (BusError.is(error)) return error;
      const text = `a message for ${message.topic} could not be routed`;
      return new BusTransportError("BUS_PUBLISH_FAILED", text, { cause: error });
    }
  }

  all(): readonly SubjectLane[] {
    return [...this.#lanes.values()];
  }

  find(subject: string): SubjectLane | undefined {
    return this.#lanes.get(subject);
  }

  /** Note that a lane may have something to send. */
  list(lane: SubjectLane): void {
    if (lane.isListed || !lane.hasNext) return;
    lane.isListed = true;
    this.#listed.push(lane);
  }

  /** The next message to transmit, lane by lane in turn. */
  take(): PendingMessage | undefined {
    while (this.#listed.length > 0) {
      if (this.#turn >= this.#listed.length) this.#turn = 0;
      const lane = this.#listed[this.#turn];
      const message = lane?.take();
      if (lane?.hasNext === true) this.#turn += 1;
      else {
        this.#listed.splice(this.#turn, 1);
        if (lane !== undefined) lane.isListed = false;
      }
      if (message !== undefined) return message;
    }
    return undefined;
  }

  /** Forget idle lanes when there are many. */
  prune(): void {
    if (this.#lanes.size <= IDLE_LANES) return;
    for (const [subject, lane] of this.#lanes) if (lane.isIdle) this.#lanes.delete(subject);
  }

  #make(subject: string, partition: number): SubjectLane {
    const { random, overtaken } = this.#parts;
    const lane = new SubjectLane({ subject, partition, random, overtaken });
    this.#lanes.set(subject, lane);
    return lane;
  }
}
