import type { BusError, StartFrom, TopicPartition } from "@bus/core";
import type { ConsumerSink, PartitionOffset } from "../kafka-driver.ts";
import type { NativeConsumer, NativeError, NativePosition } from "./confluent-client-types.ts";
import type { ConnectionListener } from "./client-events.ts";
import { consumerProperties } from "./confluent-config.ts";
import { ConsumeLoop } from "./consume-loop.ts";
import { lastStableOffsets } from "./consumer-statistics.ts";
import { callNative } from "./call-native.ts";
import { mapConfluentError } from "./map-confluent-error.ts";
import { OffsetCommits } from "./offset-commits.ts";
import { closeConsumer, openConsumer } from "./open-client.ts";
import type { ClientParts, OpenClient } from "./open-client.ts";
import type { PartitionFlow } from "./partition-flow.ts";
import { RebalanceHandler } from "./rebalance-handler.ts";
import { RecordsHandOver } from "./records-hand-over.ts";
import { UnreadableWatch } from "./unreadable-watch.ts";

/** The client answers within a call or two; only a lost callback takes longer. */
const UNASSIGN_TIMEOUT_MS = 5_000;
/** Longest that an answer to a commit may take; librdkafka gives up before that. */
const LAST_ANSWER_TIMEOUT_MS = 120_000;
/** Longest that a departure waits for the client to end; after it, it ends in the background. */
const DISCONNECT_PATIENCE_MS = 500;
/** Longest that the client may take to go on elsewhere in a partition. */
const SEEK_TIMEOUT_MS = 5_000;

/** What a session needs. */
export interface GroupSessionParts {
  readonly clients: ClientParts;
  readonly group: string;
  readonly flow: PartitionFlow;
  /** How long the broker's answer to a commit may take, milliseconds. */
  readonly commitTimeoutMs: number;
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
  readonly #commits: OffsetCommits;
  readonly #unreadable: UnreadableWatch;
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
    const { clock } = parts.clients.host;
    this.#commits = new OffsetCommits({ group, clock, timeoutMs: parts.commitTimeoutMs });
    const onUnreadable = (partition: TopicPartition, error: BusError): void =>
      sink.unreadable(partition, error);
    this.#unreadable = new UnreadableWatch({ clock, flow, onUnreadable });
  }

  /** Why the client has given up for good, when it has. */
  get fatalReason(): string | undefined {
    return this.#opened?.events.fatalReason;
  }

  get client(): NativeConsumer | undefined {
    return this.#opened?.client;
  }

  /** Connect; the group is joined by `subscribe`. @throws BusTransportError; nothing is left then. */
  async open(): Promise<void> {
    const { clients, group, flow } = this.#parts;
    const commits = this.#commits;
    const listener: ConnectionListener = {
      allDown: (error) => {
        commits.unreachable(error);
        clients.listener.allDown(error);
      },
      refused: (error) => clients.listener.refused(error),
    };
    const properties = consumerProperties(clients.options, group);
    const opened = await openConsumer({ ...clients, listener }, properties, {
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
      onError: (error) => this.#failed(client, error),
    });
    this.#loop.start();
  }

  /** Be a member for exactly these topics. @throws NativeError. */
  subscribe(topics: readonly string[]): void {
    this.#opened?.client.subscribe(topics);
  }

  /** Store positions; see `DriverConsumer.commit`. */
  async commit(positions: readonly NativePosition[]): Promise<void> {
    const committing = this.#commits.commit(positions);
    if (this.#parts.flow.isStill) this.wake();
    await committing;
  }

  /** See `DriverConsumer.seek`. */
  async seek({ topic, partition, offset }: PartitionOffset): Promise<void> {
    const owned = this.#parts.flow.find(topic, partition);
    const { client } = this;
    const to = Number(offset);
    if (owned === undefined || client === undefined || owned.position === to) return;
    owned.position = to;
    try {
      const position = { topic, partition, offset: to };
      await callNative<void>((callback) =>
        client.seek(position, SEEK_TIMEOUT_MS, (error) => callback(error, undefined)),
      );
    } catch (error) {
      // The partition is read on from where it was; what could not be read is met again there.
      const { message } = mapConfluentError(error, { doing: `reading ${topic}[${partition}] on` });
      this.#parts.clients.host.logger.debug(message, { topic, partition, offset: to });
    }
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
    try {
      opened.client.unsubscribe();
    } catch {
      // Not connected any more; then there is nothing to leave.
    }
    this.wake();
    // A question for positions that is still running would meet a client that is gone.
    await this.#rebalances.answered();
    // The group must be polled until it has taken its partitions back; a disconnect in between would end in an error.
    // A client that has given up has no partitions, and says nothing of it.
    if (this.fatalReason === undefined) {
      await this.#atMost(UNASSIGN_TIMEOUT_MS, this.#rebalances.unassigned());
    }
    const answered = this.#commits.leave();
    this.#parts.flow.detach();
    await this.#atMost(DISCONNECT_PATIENCE_MS, this.#disconnect(opened, answered));
  }

  /**
   * The client ends only when its last commit is answered, which takes long when it is cut off. It is polled until
   * then: its own disconnect would keep one of Node's few threads waiting instead.
   */
  async #disconnect(opened: OpenClient<NativeConsumer>, answered: Promise<void>): Promise<void> {
    await this.#atMost(LAST_ANSWER_TIMEOUT_MS, answered);
    await this.#loop?.stop();
    await closeConsumer(opened);
  }

  async #atMost(timeoutMs: number, work: Promise<void>): Promise<void> {
    const { clock } = this.#parts.clients.host;
    let cancel = (): void => undefined;
    const tooLate = new Promise<void>((resolve) => {
      cancel = clock.schedule(resolve, timeoutMs);
    });
    await Promise.race([work, tooLate]);
    cancel();
  }

  #failed(client: NativeConsumer, cause: NativeError): void {
    if (!this.#unreadable.isReadError(cause)) {
      this.#parts.onError(cause);
      return;
    }
    const doing = `reading records for group ${this.#parts.group}`;
    this.#unreadable.failed(client, mapConfluentError(cause, { doing }));
  }

  #pace(): "reading" | "still" | "awaitingAnswer" {
    if (!this.#parts.flow.isStill) return "reading";
    return this.#commits.isWaiting ? "awaitingAnswer" : "still";
  }

  #learn(statistics: string): void {
    const { flow } = this.#parts;
    for (const { topic, partition, lastStable } of lastStableOffsets(statistics)) {
      const owned = flow.find(topic, partition);
      if (owned !== undefined) owned.lastStable = lastStable;
    }
  }
}
