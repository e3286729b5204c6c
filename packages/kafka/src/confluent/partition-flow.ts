import type { TopicPartition } from "@bus/core";
import type { NativeConsumer } from "./confluent-client-types.ts";

/** What of a consumer stops and resumes fetching. */
export type PausingClient = Pick<NativeConsumer, "pause" | "resume">;

/**
 * What a paused partition may still bring before the client is told to stop. Telling it drops everything that was
 * fetched ahead, so a pause that is soon over must not do it.
 */
const MAX_LEFT_OVER_MESSAGES = 2_000;
const MAX_LEFT_OVER_BYTES = 1_048_576;

/** A partition that this member owns, and where reading it stands. */
export interface FlowingPartition extends TopicPartition {
  /** Where the next record is expected; `undefined` until the client has said where it begins. */
  position: number | undefined;
  /** Whether the owner knows a position. */
  isTold: boolean;
  /** The last stable offset, while transactions are open behind it. */
  lastStable: number | undefined;
  isPaused: boolean;
  /** Whether the client itself has stopped fetching. */
  isHeld: boolean;
  leftOverMessages: number;
  leftOverBytes: number;
}

/** The partitions of a member, and which of them are paused. Pauses outlast rebalances and replaced clients. */
export class PartitionFlow {
  readonly #paused = new Set<string>();
  readonly #byTopic = new Map<string, Map<number, FlowingPartition>>();
  #client: PausingClient | undefined;
  #reading = 0;
  #count = 0;

  /** Tell this client to stop and to go on. */
  attach(client: PausingClient): void {
    this.#client = client;
  }

  /** Own nothing, and have no client. */
  detach(): void {
    this.#client = undefined;
    this.#byTopic.clear();
    this.#reading = 0;
    this.#count = 0;
  }

  get partitions(): readonly FlowingPartition[] {
    return Array.from(this.#byTopic.values(), (partitions) => [...partitions.values()]).flat();
  }

  /** Whether there are partitions, and none should be read. */
  get isStill(): boolean {
    return this.#count > 0 && this.#reading === 0;
  }

  find(topic: string, partition: number): FlowingPartition | undefined {
    return this.#byTopic.get(topic)?.get(partition);
  }

  add({ topic, partition }: TopicPartition): void {
    const partitions = this.#byTopic.get(topic) ?? new Map<number, FlowingPartition>();
    if (partitions.has(partition)) return;
    const isPaused = this.#paused.has(keyOf({ topic, partition }));
    partitions.set(partition, {
      topic,
      partition,
      position: undefined,
      isTold: false,
      lastStable: undefined,
      isPaused,
      isHeld: false,
      leftOverMessages: 0,
      leftOverBytes: 0,
    });
    this.#byTopic.set(topic, partitions);
    this.#count += 1;
    if (!isPaused) this.#reading += 1;
  }

  remove({ topic, partition }: TopicPartition): void {
    const known = this.find(topic, partition);
    if (known === undefined) return;
    this.#release(known);
    this.#byTopic.get(topic)?.delete(partition);
    this.#count -= 1;
    if (!known.isPaused) this.#reading -= 1;
  }

  pause(partition: TopicPartition): void {
    this.#paused.add(keyOf(partition));
    const known = this.find(partition.topic, partition.partition);
    if (known === undefined || known.isPaused) return;
    known.isPaused = true;
    this.#reading -= 1;
  }

  resume(partition: TopicPartition): void {
    this.#paused.delete(keyOf(partition));
    const known = this.find(partition.topic, partition.partition);
    if (known === undefined || !known.isPaused) return;
    known.isPaused = false;
    known.leftOverMessages = 0;
    known.leftOverBytes = 0;
    this.#reading += 1;
    this.#release(known);
  }

  /** A paused partition has brought more. */
  leftOver(partition: FlowingPartition, messages: number, bytes: number): void {
    partition.leftOverMessages += messages;
    partition.leftOverBytes += bytes;
    if (partition.isHeld) return;
    const isTooMuch =
      partition.leftOverMessages > MAX_LEFT_OVER_MESSAGES ||
      partition.leftOverBytes > MAX_LEFT_OVER_BYTES;
    if (isTooMuch) partition.isHeld = this.#tell("pause", partition);
  }

  #release(partition: FlowingPartition): void {
    if (!partition.isHeld) return;
    partition.isHeld = false;
    this.#tell("resume", partition);
  }

  #tell(what: "pause" | "resume", { topic, partition }: TopicPartition): boolean {
    try {
      this.#client?.[what]([{ topic, partition }]);
      return true;
    } catch {
      // The client is not connected (any more): it reads nothing, and a new one begins unpaused.
      return false;
    }
  }
}

function keyOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}
