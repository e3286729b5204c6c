import { BusClosedError, BusError, BusTransportError } from "@bus/core";
import type { StartFrom, TopicPartition } from "@bus/core";
import { backOffMs, wait } from "@bus/core/adapter";
import type {
  ConsumerSink,
  DriverConsumer,
  DriverTopic,
  PartitionOffset,
  RecordDecoder,
} from "../kafka-driver.ts";
import type { NativeConsumer } from "./confluent-client-types.ts";
import { GroupSession } from "./group-session.ts";
import { JoinWait } from "./join-wait.ts";
import { BROKER, LOCAL, mapConfluentError, nativeCode } from "./map-confluent-error.ts";
import { notMember } from "./offset-commits.ts";
import type { ClientParts } from "./open-client.ts";
import { PartitionFlow } from "./partition-flow.ts";

const REBUILD_BACK_OFF = Object.freeze({ baseMs: 500, maxMs: 10_000, jitter: 0.2 });
/** The same trouble is not told more often than this. */
const WARN_AGAIN_MS = 30_000;
/** Beyond drain and commit: what lies between two steps of a release. */
const RELEASE_MARGIN_MS = 5_000;
/** A rebalance must be over well before the group expels who keeps it waiting. */
const MAX_RELEASE_SHARE = 0.9;
const MAX_COMMIT_SHARE = 1 / 3;
/** Beyond a heartbeat, with which a member hears of a rebalance. */
const QUIET_MARGIN_MS = 1_000;

/** How librdkafka words that a static member was replaced; the code of that error does not say it. */
const FENCED = /fenced by other consumer/u;

/** Between two looks for topics that are gone. */
const LOOK_FOR_TOPICS_MS = 15_000;

/** Decodes and decompresses in threads of its own. */
const DECODER: RecordDecoder = Object.freeze({ name: "librdkafka" });

/** What a consumer needs. */
export interface ConfluentConsumerParts {
  readonly clients: ClientParts;
  readonly group: string;
  readonly sink: ConsumerSink;
  /** Why a topic cannot be used: resolves when it can. */
  explainTopic(topic: string): Promise<void>;
  /** Those of these topics that do not exist. */
  missingTopics(topics: readonly string[]): Promise<readonly string[]>;
}

/** A member of a group. librdkafka survives outages by itself; what it gives up is replaced by a new client. */
export class ConfluentConsumer implements DriverConsumer {
  readonly #parts: ConfluentConsumerParts;
  readonly #flow = new PartitionFlow();
  readonly #closing = new AbortController();
  readonly #warned = new Map<number, number>();
  #topics: ReadonlyMap<string, StartFrom> = new Map();
  #session: GroupSession | undefined;
  #joining: JoinWait | undefined;
  #replacing: Promise<void> | undefined;
  #opening: Promise<GroupSession> | undefined;
  #leaving: Promise<void> | undefined;
  #cancelWatch: (() => void) | undefined;

  constructor(parts: ConfluentConsumerParts) {
    this.#parts = parts;
  }

  async subscribe(topics: readonly DriverTopic[]): Promise<void> {
    this.#throwIfClosed();
    const added = topics.map(({ topic }) => topic).filter((topic) => !this.#topics.has(topic));
    const isUnchanged = added.length === 0 && topics.length === this.#topics.size;
    this.#topics = new Map(topics.map(({ topic, startFrom }) => [topic, startFrom]));
    if (isUnchanged && this.#session !== undefined) return;
    const joining = this.#waitForJoin(added);
    try {
      await this.#replacing;
      this.#session ??= await this.#open();
      this.#throwIfClosed();
      this.#session.subscribe([...this.#topics.keys()]);
      await joining.done;
      this.#watchTopics();
    } catch (error) {
      await this.#leave();
      throw mapConfluentError(error, { doing: `joining group ${this.#parts.group}` });
    } finally {
      if (this.#joining === joining) this.#joining = undefined;
    }
  }

  /** The client that is a member of the group now, for transactions. */
  get client(): NativeConsumer | undefined {
    return this.#session?.client;
  }

  pause(partition: TopicPartition): void {
    this.#flow.pause(partition);
  }

  resume(partition: TopicPartition): void {
    const wasStill = this.#flow.isStill;
    this.#flow.resume(partition);
    if (wasStill) this.#session?.wake();
  }

  seek(position: PartitionOffset): void {
    void this.#session?.seek(position);
  }

  get decoder(): RecordDecoder {
    return DECODER;
  }

  async commit(offsets: readonly PartitionOffset[]): Promise<void> {
    if (this.#session === undefined) throw notMember(this.#parts.group);
    await this.#session.commit(
      offsets.map(({ topic, partition, offset }) => ({ topic, partition, offset: Number(offset) })),
    );
  }

  async close(): Promise<void> {
    this.#stopWatching();
    if (!this.#closing.signal.aborted) {
      this.#closing.abort();
      this.#joining?.fail(new BusClosedError(`group ${this.#parts.group} is left`));
    }
    await this.#replacing;
    this.#session ??= await this.#opening?.catch(() => undefined);
    await this.#leave();
  }

  #waitForJoin(added: readonly string[]): JoinWait {
    const { host, options } = this.#parts.clients;
    const joining = new JoinWait({
      clock: host.clock,
      added: new Set(added),
      isFirst: this.#session === undefined,
      quietMs: options.consumer.heartbeatIntervalMs + QUIET_MARGIN_MS,
    });
    joining.done.catch(() => undefined);
    this.#joining = joining;
    return joining;
  }

  #open(): Promise<GroupSession> {
    this.#opening = this.#openSession().finally(() => (this.#opening = undefined));
    return this.#opening;
  }

  async #openSession(): Promise<GroupSession> {
    const { clients, group, sink } = this.#parts;
    const session: GroupSession = new GroupSession({
      clients,
      group,
      sink,
      flow: this.#flow,
      commitTimeoutMs: this.#commitTimeoutMs,
      releaseTimeoutMs: this.#releaseTimeoutMs,
      startFrom: (topic) => this.#topics.get(topic) ?? clients.options.consumer.autoOffsetReset,
      onChanged: (what) => this.#changed(what),
      onError: (error) => this.#failed(session, error),
      onHopeless: (error) => this.#refused(session, error),
    });
    await session.open();
    return session;
  }

  get #commitTimeoutMs(): number {
    const { consumer, net } = this.#parts.clients.options;
    return Math.min(net.readTimeoutMs, consumer.rebalanceTimeoutMs * MAX_COMMIT_SHARE);
  }

  get #releaseTimeoutMs(): number {
    const { consumer } = this.#parts.clients.options;
    const needed = consumer.drainTimeoutMs + this.#commitTimeoutMs + RELEASE_MARGIN_MS;
    return Math.min(needed, consumer.rebalanceTimeoutMs * MAX_RELEASE_SHARE);
  }

  #changed(what: "assigned" | "revoked"): void {
    const owned = new Set(this.#flow.partitions.map(({ topic }) => topic));
    this.#joining?.changed(what, owned);
  }

  /** Of a topic that is deleted the client itself says nothing. */
  #watchTopics(): void {
    const { clock } = this.#parts.clients.host;
    this.#cancelWatch?.();
    this.#cancelWatch = clock.schedule(() => {
      void this.#tellMissing().finally(() => {
        if (this.#cancelWatch !== undefined) this.#watchTopics();
      });
    }, LOOK_FOR_TOPICS_MS);
  }

  #stopWatching(): void {
    this.#cancelWatch?.();
    this.#cancelWatch = undefined;
  }

  async #tellMissing(): Promise<void> {
    try {
      for (const topic of await this.#parts.missingTopics([...this.#topics.keys()])) {
        const message = `topic ${topic} is not there (any more); the other topics go on`;
        const details = { topic };
        const error = new BusTransportError("BUS_TOPIC_MISSING", message, { details });
        this.#warn(BROKER.unknownTopicOrPartition, error);
      }
    } catch {
      // The cluster cannot be asked now, of which others tell.
    }
  }

  #failed(session: GroupSession, cause: unknown): void {
    if (session !== this.#session || this.#closing.signal.aborted) return;
    const { group } = this.#parts;
    const code = nativeCode(cause);
    const error = mapConfluentError(cause, {
      doing: `consuming with group ${group}`,
      details: { group },
    });
    const { fatalReason } = session;
    if (code === BROKER.fencedInstanceId || FENCED.test(fatalReason ?? "")) {
      this.#end(fenced(group, cause));
    } else if (code === LOCAL.fatal || fatalReason !== undefined) this.#replace(error);
    else if (error.code === "BUS_NO_OFFSET") this.#end(error);
    else if (code === BROKER.unknownTopicOrPartition) void this.#explain(error);
    else if (this.#joining !== undefined && isHopeless(error)) this.#joining.fail(error);
    else this.#warn(code, error);
  }

  /** Partitions could not be taken over; as it is, this member would own none for ever. */
  #refused(session: GroupSession, cause: unknown): void {
    if (session !== this.#session || this.#closing.signal.aborted) return;
    const error = mapConfluentError(cause, { doing: `consuming with group ${this.#parts.group}` });
    if (this.#joining !== undefined || error.code === "BUS_NO_OFFSET") this.#end(error);
    else this.#replace(error);
  }

  /** A topic is unknown, or only not known to every broker yet. */
  async #explain(error: BusError): Promise<void> {
    try {
      for (const topic of this.#topics.keys()) await this.#parts.explainTopic(topic);
    } catch (cause) {
      const reason = BusError.is(cause) ? cause : error;
      if (this.#joining !== undefined && isHopeless(reason)) this.#joining.fail(reason);
      else this.#warn(BROKER.unknownTopicOrPartition, reason);
    }
  }

  #warn(code: number | undefined, error: BusError): void {
    const { host } = this.#parts.clients;
    const nowMs = host.clock.monotonicMs();
    const warnedAtMs = this.#warned.get(code ?? 0) ?? Number.NEGATIVE_INFINITY;
    if (nowMs - warnedAtMs < WARN_AGAIN_MS) return;
    this.#warned.set(code ?? 0, nowMs);
    host.emit({ kind: "warning", message: error.message, details: { ...error.details, error } });
  }

  /** Out of the group for good. */
  #end(error: BusError): void {
    if (this.#joining !== undefined) {
      this.#joining.fail(error);
      return;
    }
    const { sink } = this.#parts;
    this.#stopWatching();
    void this.#leave();
    sink.ended(error);
  }

  #replace(error: BusError): void {
    this.#replacing ??= this.#replaceSession(error).finally(() => (this.#replacing = undefined));
  }

  async #replaceSession(reason: BusError): Promise<void> {
    const { clients, sink } = this.#parts;
    const { host } = clients;
    host.emit({ kind: "disconnected", error: reason });
    sink.lost(this.#flow.partitions.map(({ topic, partition }) => ({ topic, partition })));
    await this.#leave();
    for (let attempt = 1; !this.#closing.signal.aborted; attempt += 1) {
      const delayMs = backOffMs(attempt, REBUILD_BACK_OFF, host.random);
      if (!(await wait(host.clock, delayMs, this.#closing.signal))) return;
      host.emit({ kind: "reconnecting", attempt, error: reason });
      try {
        this.#session = await this.#open();
        this.#session.subscribe([...this.#topics.keys()]);
        host.emit({ kind: "connected" });
        return;
      } catch (error) {
        await this.#leave();
        host.logger.debug(mapConfluentError(error, { doing: "replacing a consumer" }).message);
      }
    }
  }

  async #leave(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    if (session !== undefined) this.#leaving = session.leave();
    await this.#leaving;
  }

  #throwIfClosed(): void {
    if (this.#closing.signal.aborted)
      throw new BusClosedError(`group ${this.#parts.group} is left`);
  }
}

/** Whether trying again does not help. Being fenced is not hopeless: the client joins anew by itself. */
function isHopeless(error: BusError): boolean {
  return !error.retryable && error.code !== "BUS_FENCED";
}

function fenced(group: string, cause: unknown): BusError {
  const message = `another member of group ${group} has taken over the same consumer.groupInstanceId`;
  return new BusTransportError("BUS_FENCED", message, {
    cause,
    details: { group, path: "consumer.groupInstanceId" },
  });
}
