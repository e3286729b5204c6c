import type { Clock, TopicPartition } from "@bus/core";
import type { Consumer, ConsumerConfig } from "kafkajs";
import type { DriverTopic } from "../kafka-driver.ts";
import type { KafkajsClient } from "./kafkajs-client.ts";

/** How long a polite end may take before the sockets are closed. */
const STOP_PATIENCE_MS = 2_000;

/** What one life of a kafkajs consumer needs. */
export interface ConsumerSessionParts {
  readonly client: KafkajsClient;
  readonly config: ConsumerConfig;
  readonly topics: readonly DriverTopic[];
  readonly clock: Clock;
  /** How long connecting may take before the session is given up, milliseconds. */
  readonly connectTimeoutMs: number;
  /** The member has joined (again). Called before anything is fetched. */
  onJoined(partitions: readonly TopicPartition[]): void;
  /** It is over, through no wish of ours. Not called before `start` has resolved. */
  onCrashed(error: unknown): void;
}

/**
 * One life of one kafkajs consumer. It ends with the first crash: kafkajs' own restart is off, because whoever rebuilds
 * must know.
 */
export class ConsumerSession {
  readonly #parts: ConsumerSessionParts;
  readonly #consumer: Consumer;
  #hasJoined = false;
  #isOver = false;

  constructor(parts: ConsumerSessionParts) {
    this.#parts = parts;
    const retry = { ...parts.config.retry, restartOnFailure: () => Promise.resolve(false) };
    this.#consumer = parts.client.kafka.consumer({ ...parts.config, retry });
  }

  /** Connect and join; resolves once the member has joined. Rejects with kafkajs' error; then the session is over. */
  async start(): Promise<void> {
    const joined = this.#joined();
    // Awaited last; a crash on the way there is not unhandled.
    joined.catch(() => undefined);
    try {
      await this.#connect();
      for (const fromBeginning of [true, false]) {
        const topics = this.#parts.topics.filter(
          (one) => (one.startFrom === "earliest") === fromBeginning,
        );
        if (topics.length > 0)
          await this.#consumer.subscribe({
            topics: topics.map(({ topic }) => topic),
            fromBeginning,
          });
      }
      // Records are taken from the fetch itself; here kafkajs only moves on.
      await this.#consumer.run({ autoCommit: false, eachBatch: () => Promise.resolve() });
      await joined;
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** Whether the member has joined in this session. */
  get hasJoined(): boolean {
    return this.#hasJoined;
  }

  /** Go on reading a partition elsewhere than at the group's committed offset. Ignored before `onJoined`, which decides anew. */
  seek({ topic, partition }: TopicPartition, offset: bigint): void {
    if (this.#isOver || !this.#hasJoined) return;
    this.#consumer.seek({ topic, partition, offset: String(offset) });
  }

  /** End it: nothing is called any more, every socket is closed. Whether the group is left is not decided here. */
  async stop(): Promise<void> {
    this.#isOver = true;
    const { clock, client } = this.#parts;
    const cancel = clock.schedule(() => client.sockets.destroy(), STOP_PATIENCE_MS);
    try {
      await this.#consumer.disconnect();
    } catch {
      // It was to end, and it has: the sockets are closed below.
    }
    cancel();
    client.sockets.destroy();
  }

  /** kafkajs asks a broker that does not answer again and again; whoever rebuilds asks another one. */
  async #connect(): Promise<void> {
    const { clock, client, connectTimeoutMs } = this.#parts;
    const cancel = clock.schedule(() => client.sockets.destroy(), connectTimeoutMs);
    try {
      await this.#consumer.connect();
    } finally {
      cancel();
    }
  }

  #joined(): Promise<void> {
    const { GROUP_JOIN, CRASH } = this.#consumer.events;
    let hasStarted = false;
    return new Promise((resolve, reject) => {
      this.#consumer.on(GROUP_JOIN, ({ payload }) => {
        if (this.#isOver) return;
        this.#hasJoined = true;
        this.#parts.onJoined(partitionsOf(payload.memberAssignment));
        hasStarted = true;
        resolve();
      });
      this.#consumer.on(CRASH, ({ payload }) => {
        if (this.#isOver) return;
        if (hasStarted) this.#crashed(payload.error);
        else reject(payload.error);
      });
    });
  }

  #crashed(error: unknown): void {
    this.#isOver = true;
    this.#parts.client.sockets.destroy();
    this.#parts.onCrashed(error);
  }
}

function partitionsOf(
  assignment: Readonly<Record<string, readonly number[]>>,
): readonly TopicPartition[] {
  return Object.entries(assignment).flatMap(([topic, partitions]) =>
    partitions.map((partition) => ({ topic, partition })),
  );
}
