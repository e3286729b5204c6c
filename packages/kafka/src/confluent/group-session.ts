import type { StartFrom } from "@bus/core";
import type { ConsumerSink } from "../kafka-driver.ts";
import type { NativeConsumer, NativeError, NativePosition } from "./confluent-client-types.ts";
import { consumerProperties } from "./confluent-config.ts";
import { ConsumeLoop } from "./consume-loop.ts";
import { lastStableOffsets } from "./consumer-statistics.ts";
import type { OffsetCommits } from "./offset-commits.ts";
import { closeConsumer, openConsumer } from "./open-client.ts";
import type { ClientParts, OpenClient } from "./open-client.ts";
import type { PartitionFlow } from "./partition-flow.ts";
import { RebalanceHandler } from "./rebalance-handler.ts";
import { RecordsHandOver } from "./records-hand-over.ts";

/** What a session needs. */
export interface GroupSessionParts {
  readonly clients: ClientParts;
  readonly group: string;
  readonly flow: PartitionFlow;
  readonly commits: OffsetCommits;
  readonly sink: ConsumerSink;
  readonly releaseTimeoutMs: number;
  readonly startFrom: (topic: string) => StartFrom;
  readonly onChanged: (what: "assigned" | "revoked") => void;
  readonly onError: (error: unknown) => void;
  /** Partitions could not be taken over, and trying again does not mend it. */
  readonly onHopeless: (error: unknown) => void;
}

/** One client as a member of a group, from its connection to its departure. */
export class GroupSession {
  readonly #parts: GroupSessionParts;
  readonly #rebalances: RebalanceHandler;
  readonly #handOver: RecordsHandOver;
  #opened: OpenClient<NativeConsumer> | undefined;
  #loop: ConsumeLoop | undefined;

  constructor(parts: GroupSessionParts) {
    const { group, flow, sink, releaseTimeoutMs, startFrom, onChanged, onHopeless } = parts;
    this.#parts = parts;
    this.#rebalances = new RebalanceHandler({
      group,
      host: parts.clients.host,
      flow,
      sink,
      releaseTimeoutMs,
      startFrom,
      onChanged,
      onHopeless,
    });
    this.#handOver = new RecordsHandOver({ flow, sink });
  }

  /** Whether the client has given up for good. */
  get isFatal(): boolean {
    return this.#opened?.events.isFatal ?? false;
  }

  get client(): NativeConsumer | undefined {
    return this.#opened?.client;
  }

  /** Connect; the group is joined by `subscribe`. @throws BusTransportError; nothing is left then. */
  async open(): Promise<void> {
    const { clients, group, commits, flow } = this.#parts;
    const opened = await openConsumer(clients, consumerProperties(clients.options, group), {
      offset_commit_cb: true,
      rebalance_cb: (error: NativeError | undefined, partitions: readonly NativePosition[]) =>
        this.#rebalances.handle(opened.client, error?.code, partitions),
      queue_non_empty_cb: () => this.#loop?.announced(),
    });
    this.#opened = opened;
    const { client } = opened;
    commits.attach(client);
    flow.attach(client);
    client.on("partition.eof", (end) => this.#handOver.ended(end));
    client.on("event.stats", ({ message }) => this.#learn(message));
    this.#loop = new ConsumeLoop({
      clock: clients.host.clock,
      client,
      pace: () => this.#pace(),
      onMessages: (messages) => this.#handOver.handOver(client, messages),
      onError: (error) => this.#parts.onError(error),
    });
    this.#loop.start();
  }

  /** Be a member for exactly these topics. @throws NativeError. */
  subscribe(topics: readonly string[]): void {
    this.#opened?.client.subscribe(topics);
  }

  /** What may be read has changed. */
  wake(): void {
    this.#loop?.wake();
  }

  /** Leave the group and disconnect; the owner of partitions hears nothing from now on. Never rejects. */
  async leave(): Promise<void> {
    this.#rebalances.leave();
    const opened = this.#opened;
    if (opened === undefined) return;
    const { commits, flow } = this.#parts;
    try {
      opened.client.unsubscribe();
    } catch {
      // Not connected any more; then there is nothing to leave.
    }
    this.wake();
    await this.#unassigned();
    await this.#loop?.stop();
    commits.detach();
    flow.detach();
    await closeConsumer(opened);
  }

  /** The group must be polled until it has taken its partitions back; a disconnect in between would end in an error. */
  async #unassigned(): Promise<void> {
    const { clock } = this.#parts.clients.host;
    let cancel = (): void => undefined;
    const tooLate = new Promise<void>((resolve) => {
      cancel = clock.schedule(resolve, UNASSIGN_TIMEOUT_MS);
    });
    await Promise.race([this.#rebalances.unassigned(), tooLate]);
    cancel();
  }

  #pace(): "reading" | "still" | "awaitingAnswer" {
    if (!this.#parts.flow.isStill) return "reading";
    return this.#parts.commits.isWaiting ? "awaitingAnswer" : "still";
  }

  #learn(statistics: string): void {
    const { flow } = this.#parts;
    for (const { topic, partition, lastStable } of lastStableOffsets(statistics)) {
      const owned = flow.find(topic, partition);
      if (owned !== undefined) owned.lastStable = lastStable;
    }
  }
}

const UNASSIGN_TIMEOUT_MS = 5_000;
