import type { StartFrom, TopicPartition, TransportHost } from "@bus/core";
import type { ConsumerSink } from "../kafka-driver.ts";
import type { NativeConsumer, NativePosition } from "./confluent-client-types.ts";
import { LOCAL, mapConfluentError } from "./map-confluent-error.ts";
import type { PartitionFlow } from "./partition-flow.ts";
import { startPositions } from "./start-positions.ts";

/** What a handler of rebalances needs. */
export interface RebalanceHandlerParts {
  readonly group: string;
  readonly host: TransportHost;
  readonly flow: PartitionFlow;
  readonly sink: ConsumerSink;
  /** Longest time that the owner of partitions may take to release them, milliseconds. */
  readonly releaseTimeoutMs: number;
  readonly startFrom: (topic: string) => StartFrom;
  /** A change of ownership is complete. */
  readonly onChanged: (what: "assigned" | "revoked") => void;
  /** Partitions cannot be taken over, and trying again does not mend it. */
  readonly onHopeless: (error: unknown) => void;
}

/**
 * Answers the client's rebalance callbacks, one after another. The group waits for the answer, so every path ends with
 * one: a callback that never assigned or unassigned would hold the group until this member is expelled.
 */
export class RebalanceHandler {
  readonly #parts: RebalanceHandlerParts;
  readonly #leaving = new AbortController();
  #last: Promise<void> = Promise.resolve();
  #assigned: readonly TopicPartition[] = [];
  #isCooperative = false;
  #onUnassigned: (() => void) | undefined;

  constructor(parts: RebalanceHandlerParts) {
    this.#parts = parts;
  }

  /** Called by the client; returns at once. */
  handle(
    client: NativeConsumer,
    code: number | undefined,
    partitions: readonly NativePosition[],
  ): void {
    if (code !== LOCAL.assign && code !== LOCAL.revoke) {
      this.#parts.host.logger.debug("librdkafka reported a failed rebalance", { code });
    }
    const answer = (): Promise<void> =>
      code === LOCAL.assign ? this.#assign(client, partitions) : this.#revoke(client, partitions);
    this.#last = this.#last.then(answer).catch((error: unknown) => this.#failed(error));
  }

  /** From now on callbacks are answered, and the owner of partitions hears nothing. */
  leave(): void {
    this.#leaving.abort();
  }

  /** Resolves when every callback so far is answered. */
  answered(): Promise<void> {
    return this.#last;
  }

  /** Resolves when the client holds no partitions any more. */
  async unassigned(): Promise<void> {
    if (this.#assigned.length > 0)
      await new Promise<void>((resolve) => (this.#onUnassigned = resolve));
  }

  async #assign(client: NativeConsumer, partitions: readonly NativePosition[]): Promise<void> {
    const { group, host, startFrom, onChanged, onHopeless } = this.#parts;
    const { signal } = this.#leaving;
    let positions: readonly NativePosition[] = [];
    try {
      positions = await startPositions({ client, group, partitions, startFrom, host, signal });
      if (!signal.aborted) positions = this.#own(positions);
    } catch (error) {
      if (!signal.aborted) onHopeless(error);
      positions = [];
    }
    try {
      this.#take(client, positions);
      if (!signal.aborted) onChanged("assigned");
    } catch (error) {
      // The group has moved on meanwhile; it says so in its next callback.
      this.#disown(positions);
      this.#failed(error);
      this.#takeNothing(client);
    }
  }

  async #revoke(client: NativeConsumer, partitions: readonly NativePosition[]): Promise<void> {
    const { sink, flow, onChanged } = this.#parts;
    const wasLost = client.assignmentLost();
    const revoked = partitions.map(plain);
    try {
      if (!wasLost && !this.#leaving.signal.aborted) await this.#release(revoked);
    } finally {
      const isLost = wasLost || client.assignmentLost();
      for (const partition of revoked) flow.remove(partition);
      if (isLost && !this.#leaving.signal.aborted) sink.lost(revoked);
      this.#giveBack(client, revoked);
      if (!this.#leaving.signal.aborted) {
        if (this.#isCooperative && !isLost) sink.owned(flow.partitions.map(plain));
        onChanged("revoked");
      }
    }
  }

  #take(client: NativeConsumer, positions: readonly NativePosition[]): void {
    if (this.#isGradual(client)) {
      client.incrementalAssign(positions);
      this.#assigned = [...this.#assigned, ...positions.map(plain)];
    } else {
      client.assign(positions);
      this.#assigned = positions.map(plain);
    }
  }

  /** The group may still wait for a valid answer; without one it would wait for ever. */
  #takeNothing(client: NativeConsumer): void {
    try {
      this.#take(client, []);
    } catch {
      // It does not wait for one.
    }
  }

  /**
   * Give back what the client has. The group may speak of more, that was never taken over: asked for that the client
   * fails, and would wait for a valid answer for ever, its disconnect included.
   */
  #giveBack(client: NativeConsumer, revoked: readonly TopicPartition[]): void {
    const isGradual = this.#isGradual(client);
    const [given, kept] = isGradual ? divide(this.#assigned, revoked) : [this.#assigned, []];
    this.#assigned = kept;
    if (isGradual) client.incrementalUnassign(given);
    else client.unassign();
    if (kept.length === 0) this.#onUnassigned?.();
  }

  /** Whether partitions come and go one by one; a client that is disconnecting does not know any more. */
  #isGradual(client: NativeConsumer): boolean {
    const protocol = client.rebalanceProtocol();
    if (protocol !== "NONE") this.#isCooperative = protocol === "COOPERATIVE";
    return this.#isCooperative;
  }

  /** @returns Where to begin: what was kept through a rebalance goes on where its owner is. */
  #own(starts: readonly NativePosition[]): readonly NativePosition[] {
    const { flow, sink } = this.#parts;
    for (const start of starts) flow.add(start);
    const kept = sink.owned(flow.partitions.map(plain));
    return starts.map(({ topic, partition, offset }) => {
      const own = kept.find((one) => one.topic === topic && one.partition === partition);
      const from = own === undefined ? offset : Number(own.offset);
      const owned = flow.find(topic, partition);
      if (owned !== undefined && from !== undefined && from >= 0) owned.position = from;
      return { topic, partition, ...(from === undefined ? {} : { offset: from }) };
    });
  }

  #disown(positions: readonly NativePosition[]): void {
    const { flow, sink } = this.#parts;
    for (const position of positions) flow.remove(position);
    if (!this.#leaving.signal.aborted) sink.lost(positions.map(plain));
  }

  async #release(partitions: readonly TopicPartition[]): Promise<void> {
    const { host, sink, releaseTimeoutMs, group } = this.#parts;
    let cancel = (): void => undefined;
    const tooLate = new Promise<void>((resolve) => {
      cancel = host.clock.schedule(() => {
        const message = `partitions of group ${group} were not released within ${releaseTimeoutMs} ms and are given away`;
        host.emit({ kind: "warning", message, details: { group, partitions } });
        resolve();
      }, releaseTimeoutMs);
    });
    await Promise.race([sink.releasing(partitions), tooLate]);
    cancel();
  }

  #failed(cause: unknown): void {
    const { group, host } = this.#parts;
    const error = mapConfluentError(cause, {
      doing: `changing partitions of group ${group}`,
      details: { group },
    });
    host.logger.debug(error.message, error.details);
  }
}

function plain({ topic, partition }: TopicPartition): TopicPartition {
  return { topic, partition };
}

/** Divide partitions into those that are among others, and the rest. */
function divide(
  partitions: readonly TopicPartition[],
  others: readonly TopicPartition[],
): readonly [among: readonly TopicPartition[], rest: readonly TopicPartition[]] {
  const keys = new Set(others.map(keyOf));
  return [
    partitions.filter((one) => keys.has(keyOf(one))),
    partitions.filter((one) => !keys.has(keyOf(one))),
  ];
}

function keyOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}
