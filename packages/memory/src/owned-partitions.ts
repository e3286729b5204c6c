import { BusTransportError } from "@bus/core";
import type { PartitionState, StartFrom, TopicPartition, TransportHost } from "@bus/core";
import type { ClientLink } from "./client-link.ts";
import type { ConsumerGroup, Ownership } from "./consumer-group.ts";
import { drainReaders } from "./drain-readers.ts";
import { OffsetCommitter } from "./offset-committer.ts";
import type { PartitionLog } from "./partition-log.ts";
import { PartitionReader } from "./partition-reader.ts";
import type { ReaderParts } from "./partition-reader.ts";
import { BLOCK } from "./read-blocks.ts";

/** How a member wants a topic. */
export interface TopicMode {
  readonly startFrom: StartFrom;
  readonly isHeld: boolean;
}

/** What the partitions of a member need. */
export interface OwnedPartitionsParts {
  readonly group: ConsumerGroup;
  readonly link: ClientLink;
  readonly host: TransportHost;
  readonly commitIntervalMs: number;
  readonly reading: Omit<ReaderParts, "onMoved">;
  /** The topics of the member as they are now. */
  readonly modeOf: (topic: string) => TopicMode;
}

/** A partition that the member owns; it has no reader while its topic is held. */
interface Owned {
  readonly ownership: Ownership;
  /** Where reading begins when nothing is committed; decided when the partition was assigned. */
  readonly start: number | undefined;
  reader: PartitionReader | undefined;
}

/** The partitions of one member: read, committed, drained and given up. */
export class OwnedPartitions {
  readonly #parts: OwnedPartitionsParts;
  readonly #committer: OffsetCommitter;
  readonly #owned = new Map<PartitionLog, Owned>();

  constructor(parts: OwnedPartitionsParts) {
    this.#parts = parts;
    this.#committer = new OffsetCommitter(parts.host.clock, parts.commitIntervalMs, (readers) =>
      this.#commit(readers),
    );
  }

  get ownerships(): readonly Ownership[] {
    return Array.from(this.#owned.values(), ({ ownership }) => ownership);
  }

  /** Deliveries that have not settled. */
  get outstanding(): number {
    return sum(Array.from(this.#owned.values(), ({ reader }) => reader?.outstanding ?? 0));
  }

  readerOf(partition: TopicPartition): PartitionReader | undefined {
    for (const [log, { reader }] of this.#owned) {
      if (log.partition === partition.partition && log.topic === partition.topic) return reader;
    }
    return undefined;
  }

  /** Take over partitions, and read those whose topic is not held. */
  add(ownerships: readonly Ownership[]): void {
    for (const ownership of ownerships) {
      const start = this.#startOf(ownership.log);
      this.#owned.set(ownership.log, { ownership, start, reader: undefined });
    }
    this.openReaders();
  }

  /** Read every partition whose topic is not held and that has no reader. */
  openReaders(): void {
    for (const owned of this.#owned.values()) {
      const { isRevoking, log } = owned.ownership;
      if (owned.reader === undefined && !isRevoking && !this.#parts.modeOf(log.topic).isHeld)
        this.#open(owned);
    }
  }

  /**
   * Drain partitions, commit what has settled and end their readers; they stay owned.
   *
   * @returns Deliveries that had not settled when the budget was over.
   */
  async stopReaders(ownerships: readonly Ownership[], budgetMs: number): Promise<number> {
    const stopped = ownerships.flatMap(({ log }) => this.#owned.get(log)?.reader ?? []);
    await drainReaders(stopped, budgetMs, this.#parts.host.clock);
    this.#committer.flush();
    const abandoned = sum(stopped.map((reader) => reader.outstanding));
    for (const reader of stopped) this.#end(reader);
    return abandoned;
  }

  /** Own partitions no longer, without a drain and without a commit; returns those that were owned. */
  drop(ownerships: readonly Ownership[]): readonly PartitionLog[] {
    return ownerships.flatMap((ownership) => {
      const { log } = ownership;
      const owned = this.#owned.get(log);
      // The partition may have been lost and assigned anew in the meantime.
      if (owned?.ownership !== ownership) return [];
      this.#owned.delete(log);
      if (owned.reader !== undefined) this.#end(owned.reader);
      return [log];
    });
  }

  goOffline(): void {
    for (const { reader } of this.#owned.values()) reader?.block(BLOCK.offline);
  }

  goOnline(): void {
    for (const { reader } of this.#owned.values()) reader?.unblock(BLOCK.offline);
    this.#committer.flush();
  }

  states(): readonly PartitionState[] {
    return Array.from(this.#owned, ([log, { reader }]) => {
      const committed = this.#parts.group.committed(log);
      return reader?.state(committed) ?? heldState(log, committed);
    });
  }

  #open(owned: Owned): void {
    const { group, host, link, reading } = this.#parts;
    const { ownership } = owned;
    const committed = group.committed(ownership.log);
    const position = committed ?? owned.start;
    if (position === undefined) {
      host.emit({
        kind: "subscriptionEnded",
        group: group.name,
        error: noOffset(group.name, ownership.log.topic),
      });
      return;
    }
    // A group that begins at the end must not begin at a later end after its first member has died.
    const isEnd =
      committed === undefined && this.#parts.modeOf(ownership.log.topic).startFrom === "latest";
    if (isEnd && link.isUp) group.commit(ownership, position);
    owned.reader = new PartitionReader(ownership.log, position, {
      ...reading,
      onMoved: (reader) => this.#committer.moved(reader),
    });
    if (link.isUp) owned.reader.wake();
    else owned.reader.block(BLOCK.offline);
  }

  #startOf(log: PartitionLog): number | undefined {
    const { startFrom } = this.#parts.modeOf(log.topic);
    if (startFrom === "none") return undefined;
    return startFrom === "earliest" ? log.low : log.next;
  }

  #end(reader: PartitionReader): void {
    reader.end();
    this.#committer.forget(reader);
    const owned = this.#owned.get(reader.log);
    if (owned?.reader === reader) owned.reader = undefined;
  }

  #commit(readers: readonly PartitionReader[]): void {
    const { group, host, link } = this.#parts;
    if (!link.isUp) {
      const error = new BusTransportError(
        "BUS_TRANSPORT",
        "the connection to the broker is cut; offsets are committed later",
      );
      host.emit({ kind: "commitFailed", group: group.name, error });
      return;
    }
    const startedMs = host.clock.monotonicMs();
    for (const reader of readers) {
      this.#committer.forget(reader);
      const owned = this.#owned.get(reader.log);
      if (owned?.reader === reader) group.commit(owned.ownership, reader.position);
    }
    host.emit({
      kind: "committed",
      group: group.name,
      durationMs: host.clock.monotonicMs() - startedMs,
      partitions: readers.length,
    });
  }
}

/** The error of a group that has nothing committed and may not begin anywhere. */
export function noOffset(group: string, topic: string): BusTransportError {
  const message = `group ${group} has no committed offset for ${topic}, and startFrom is none`;
  return new BusTransportError("BUS_NO_OFFSET", message, { details: { group, topic } });
}

function heldState(
  { topic, partition }: PartitionLog,
  committed: number | undefined,
): PartitionState {
  return {
    topic,
    partition,
    inFlightMessages: 0,
    inFlightBytes: 0,
    committedOffset: committed === undefined ? undefined : BigInt(committed),
    oldestUnsettled: undefined,
    pausedBy: ["held"],
  };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
