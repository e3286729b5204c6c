import type { TransportHost } from "@bus/core";
import type { DriverTopic } from "../kafka-driver.ts";

/** How often a topic that is missing is looked for. */
const LOOK_AGAIN_MS = 15_000;

/** What finding topics needs. */
export interface PresentTopicsParts {
  readonly group: string;
  readonly host: TransportHost;
  /** Those of the topics that exist. */
  readonly existing: (topics: readonly string[]) => Promise<ReadonlySet<string>>;
  /** A missing topic is there again. */
  readonly onFound: () => void;
}

/**
 * Keeps a topic that was deleted from stopping a member: kafkajs refuses all topics for one that does not exist, so the
 * missing ones are left out, with a warning, until they are there again.
 */
export class PresentTopics {
  readonly #parts: PresentTopicsParts;
  #missing = new Set<string>();
  #isClosed = false;
  #cancel = (): void => undefined;

  constructor(parts: PresentTopicsParts) {
    this.#parts = parts;
  }

  /** The topics that exist; all of them when nobody can tell. */
  async of(topics: readonly DriverTopic[]): Promise<readonly DriverTopic[]> {
    const existing = await this.#lookUp(topics);
    if (existing === undefined) return topics;
    const missing = topics.map(({ topic }) => topic).filter((topic) => !existing.has(topic));
    for (const topic of missing) if (!this.#missing.has(topic)) this.#warn(topic);
    this.#missing = new Set(missing);
    this.#watch(topics);
    return topics.filter(({ topic }) => existing.has(topic));
  }

  close(): void {
    this.#isClosed = true;
    this.#cancel();
  }

  #watch(topics: readonly DriverTopic[]): void {
    this.#cancel();
    if (this.#isClosed || this.#missing.size === 0) return;
    this.#cancel = this.#parts.host.clock.schedule(
      () => void this.#lookAgain(topics),
      LOOK_AGAIN_MS,
    );
  }

  async #lookAgain(topics: readonly DriverTopic[]): Promise<void> {
    const existing = await this.#lookUp(topics);
    if (this.#isClosed) return;
    if ([...this.#missing].some((topic) => existing?.has(topic) === true)) this.#parts.onFound();
    else this.#watch(topics);
  }

  async #lookUp(topics: readonly DriverTopic[]): Promise<ReadonlySet<string> | undefined> {
    try {
      return await this.#parts.existing(topics.map(({ topic }) => topic));
    } catch {
      return undefined; // Whoever connects next meets what is wrong, and tells.
    }
  }

  #warn(topic: string): void {
    const { group, host } = this.#parts;
    const message = `topic ${topic} does not exist any more, group ${group} goes on without it until it is there again`;
    host.emit({ kind: "warning", message, details: { group, topic } });
  }
}
