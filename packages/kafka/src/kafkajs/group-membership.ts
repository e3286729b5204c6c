import type { BusError, Clock } from "@bus/core";
import { BusTransportError } from "@bus/core";
import type { Broker, Cluster } from "kafkajs";
import type { PartitionOffset } from "../kafka-driver.ts";
import { kafkajsErrorFacts, mapKafkajsError } from "./map-kafkajs-error.ts";

/** Error codes of the Kafka protocol. */
const UNKNOWN_MEMBER_ID = 25;
const REBALANCE_IN_PROGRESS = 27;

interface JoinRequest {
  readonly memberId: string;
}

interface MemberRequest {
  readonly groupId: string;
  readonly memberId: string;
  readonly groupGenerationId: number;
}

/** What a broker of kafkajs 2.2.4 has beyond its types; proven by this package's tests against a real broker. */
interface GroupRequests {
  readonly nodeId: string;
  readonly connectionPool: { readonly host: string; readonly port: number };
  joinGroup(
    request: JoinRequest,
  ): Promise<{ readonly memberId: string; readonly generationId: number }>;
  leaveGroup(request: object): Promise<unknown>;
  heartbeat(request: MemberRequest): Promise<unknown>;
}

type Coordinator = Broker & GroupRequests;

/** What a membership needs. */
export interface GroupMembershipParts {
  readonly group: string;
  readonly clock: Clock;
  readonly heartbeatIntervalMs: number;
  /** Awaited before every request to join: the group may be about to give partitions to others. */
  readonly beforeJoin: () => Promise<void>;
  /** The group has expelled this member: what it owned belongs to others. */
  readonly onExpelled: () => void;
}

/**
 * Who we are in a group, beyond the life of one kafkajs consumer.
 *
 * It stands between a consumer and the brokers that it calls (kafkajs hands its connections to assigners): it lets the
 * owner drain before a join, keeps the member id so that a rebuilt consumer comes back as the same member (one
 * rebalance, no waiting for a session to end), leaves the group only when told to, and commits by itself, which works
 * also while kafkajs is between two lives.
 */
export class GroupMembership {
  /** When the coordinator last answered, in `Clock.monotonicMs`. */
  lastContactMs = 0;
  readonly #parts: GroupMembershipParts;
  readonly #adopted = new WeakSet<object>();
  #memberId = "";
  #generation = -1;
  #find: Cluster["findGroupCoordinator"] | undefined;
  #coordinator: Coordinator | undefined;
  #coordinatorAddress: string | undefined;
  #isLeaving = false;
  #joins = 0;
  #preparing: Promise<void> | undefined;

  constructor(parts: GroupMembershipParts) {
    this.#parts = parts;
  }

  /** Whether the group knows us, as far as we know. */
  get isMember(): boolean {
    return this.#memberId !== "";
  }

  /** `host:port` of the coordinator that was found last. */
  get coordinatorAddress(): string | undefined {
    return this.#coordinatorAddress;
  }

  /** Whether a join waits for the group; its coordinator does not expect to hear of us then. */
  get isJoining(): boolean {
    return this.#joins > 0;
  }

  /** From now on the leaving of kafkajs is let through. */
  leave(): void {
    this.#isLeaving = true;
  }

  /** Take over the connections of a new consumer. */
  attach(cluster: Cluster): void {
    this.#coordinator = undefined;
    const find = cluster.findGroupCoordinator.bind(cluster);
    this.#find = find;
    // kafkajs asks for the coordinator once for every attempt to join, and for nothing else.
    cluster.findGroupCoordinator = async (group) => {
      await this.#prepareJoin();
      return this.#adopt(await find(group));
    };
  }

  /**
   * Store positions.
   *
   * @throws BusTransportError `BUS_FENCED` when we are not a member (any more), retryable ones otherwise.
   */
  async commit(offsets: readonly PartitionOffset[]): Promise<void> {
    const group = this.#parts.group;
    if (!this.isMember)
      throw new BusTransportError(
        "BUS_FENCED",
        `not a member of group ${group}, so nothing can be committed`,
      );
    const request = { ...this.#identity(), topics: offsetsByTopic(offsets) };
    try {
      const coordinator = await this.#connectedCoordinator();
      await coordinator.offsetCommit(request);
      this.lastContactMs = this.#parts.clock.monotonicMs();
    } catch (error) {
      // Whatever it was, the next commit looks the coordinator up again.
      this.#coordinator = undefined;
      this.#noteExpulsion(error);
      throw this.#commitError(error);
    }
  }

  #commitError(error: unknown): BusError {
    return mapKafkajsError(error, { doing: `committing offsets of group ${this.#parts.group}` });
  }

  /** Let the owner drain; meanwhile nobody but us sends heartbeats. Calls that come together share one. */
  #prepareJoin(): Promise<void> {
    this.#preparing ??= this.#prepareWithHeartbeats().finally(() => (this.#preparing = undefined));
    return this.#preparing;
  }

  async #prepareWithHeartbeats(): Promise<void> {
    let cancel = (): void => undefined;
    const beat = (): void => {
      void this.#beat();
      cancel = this.#parts.clock.schedule(beat, this.#parts.heartbeatIntervalMs);
    };
    cancel = this.#parts.clock.schedule(beat, this.#parts.heartbeatIntervalMs);
    try {
      await this.#parts.beforeJoin();
    } finally {
      cancel();
    }
  }

  async #beat(): Promise<void> {
    if (!this.isMember) return;
    try {
      const coordinator = await this.#connectedCoordinator();
      await coordinator.heartbeat(this.#identity());
    } catch {
      // `heartbeat` was adopted: what its failure means has been noted. The join that follows meets it again.
    }
  }

  #identity(): MemberRequest {
    return {
      groupId: this.#parts.group,
      memberId: this.#memberId,
      groupGenerationId: this.#generation,
    };
  }

  async #connectedCoordinator(): Promise<Coordinator> {
    const known = this.#coordinator;
    if (known?.isConnected() === true) return known;
    if (this.#find === undefined)
      throw new BusTransportError("BUS_FENCED", `not a member of group ${this.#parts.group} yet`);
    return this.#adopt(await this.#find({ groupId: this.#parts.group }));
  }

  #adopt(broker: Broker): Coordinator {
    // Declared above: what its types leave out.
    const coordinator = broker as Coordinator;
    this.#coordinator = coordinator;
    const { host, port } = coordinator.connectionPool;
    this.#coordinatorAddress = `${host}:${port}`;
    if (this.#adopted.has(coordinator)) return coordinator;
    this.#adopted.add(coordinator);
    const join = coordinator.joinGroup.bind(coordinator);
    const leave = coordinator.leaveGroup.bind(coordinator);
    const heartbeat = coordinator.heartbeat.bind(coordinator);
    coordinator.joinGroup = (request) =>
      this.#joined(join({ ...request, memberId: this.#memberId }));
    coordinator.heartbeat = (request) => this.#heard(heartbeat(request));
    coordinator.leaveGroup = async (request) =>
      this.#isLeaving ? await leave(request) : undefined;
    return coordinator;
  }

  async #joined<TAnswer extends { readonly memberId: string; readonly generationId: number }>(
    joining: Promise<TAnswer>,
  ): Promise<TAnswer> {
    this.#joins += 1;
    try {
      const answer = await this.#heard(joining);
      this.#memberId = answer.memberId;
      this.#generation = answer.generationId;
      return answer;
    } finally {
      this.#joins -= 1;
    }
  }

  async #heard<TAnswer>(asking: Promise<TAnswer>): Promise<TAnswer> {
    try {
      const answer = await asking;
      this.lastContactMs = this.#parts.clock.monotonicMs();
      return answer;
    } catch (error) {
      this.#noteExpulsion(error);
      throw error;
    }
  }

  #noteExpulsion(error: unknown): void {
    const { kafkaCode } = kafkajsErrorFacts(error);
    // The coordinator answers so while it waits for members to join: it knows us.
    if (kafkaCode === REBALANCE_IN_PROGRESS) this.lastContactMs = this.#parts.clock.monotonicMs();
    if (kafkaCode !== UNKNOWN_MEMBER_ID || !this.isMember) return;
    this.#memberId = "";
    this.#parts.onExpelled();
  }
}

/** Positions of one topic as commit requests carry them. */
export interface TopicPositions {
  readonly topic: string;
  readonly partitions: { partition: number; offset: string }[];
}

/** Positions by topic, as commit requests carry them. */
export function offsetsByTopic(offsets: readonly PartitionOffset[]): TopicPositions[] {
  const topics = new Map<string, TopicPositions>();
  for (const { topic, partition, offset } of offsets) {
    const positions = topics.get(topic) ?? { topic, partitions: [] };
    positions.partitions.push({ partition, offset: String(offset) });
    topics.set(topic, positions);
  }
  return [...topics.values()];
}
