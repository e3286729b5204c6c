import { BusConfigError } from "@bus/core";
import type { ConfiguredTransport, Transport, TopicPartition } from "@bus/core";
import type { ConsumerGroup, GroupMember } from "./consumer-group.ts";
import type { DeliveryLoop } from "./delivery-loop.ts";
import type { PartitionLog } from "./partition-log.ts";
import type { PublishFault, PublishFaults } from "./publish-faults.ts";

/** A client: its id, what `memory()` returned for it, or its transport. */
export type MemoryClient = string | ConfiguredTransport | Transport;

/** Faults of publishes and deliveries. */
export interface FlowFaults {
  /** Let publishes fail; the returned function ends it. */
  failPublish(fault?: PublishFault): () => void;
  /** Let every message wait before it can be delivered, in milliseconds; the returned function ends it. */
  delayDelivery(delayMs: number): () => void;
}

/** Faults of clients. */
export interface ClientFaults {
  /** Cut a client off its broker; the returned function connects it again. Groups expel it after its session timeout. */
  dropConnection(client: MemoryClient): () => void;
  /** End a client as if its process was killed: nothing is drained, committed or left. Groups expel it after its session timeout. */
  crash(client: MemoryClient): void;
  /** Take partitions (all when absent) of a group away from a client without a drain, as after an expired session; then the group is balanced anew. */
  revoke(group: string, client: MemoryClient, partitions?: readonly TopicPartition[]): void;
}

/** Things that happen to logs. */
export interface LogFaults {
  /** Remove every message of a partition before an offset, as retention does. */
  removeBefore(topic: string, partition: number, offset: bigint): void;
  /** Keep only the last message of each key, and those without a key, as compaction does. */
  compact(topic: string, partition: number): void;
  /** Use up offsets that no consumer ever receives, as transaction markers do. */
  insertGap(topic: string, partition: number, count: number): void;
}

/** Ways to make a broker fail. They act at once and say nothing by themselves. */
export interface MemoryFaults extends FlowFaults, ClientFaults, LogFaults {}

/** A transport as its broker sees it. */
export interface BrokerClient {
  readonly clientId: string;
  readonly transport: Transport;
  /** Its memberships. */
  readonly members: readonly GroupMember[];
  cutOff(): void;
  restore(): void;
  crash(): void;
}

/** What faults reach of a broker. */
export interface FaultyBroker {
  readonly clients: readonly BrokerClient[];
  readonly loop: DeliveryLoop;
  readonly publishFaults: PublishFaults;
  findGroup(name: string): ConsumerGroup | undefined;
  log(partition: TopicPartition): PartitionLog;
}

/** Make the faults of a broker. */
export function createFaults(broker: FaultyBroker): MemoryFaults {
  return {
    failPublish: (fault = {}) => broker.publishFaults.add(fault),
    delayDelivery(delayMs) {
      broker.loop.delayMs = delayMs;
      return () => void (broker.loop.delayMs = 0);
    },
    dropConnection(client) {
      const dropped = clientsOf(broker, client);
      for (const each of dropped) each.cutOff();
      return () => {
        for (const each of dropped) each.restore();
      };
    },
    crash(client) {
      for (const each of clientsOf(broker, client)) each.crash();
    },
    revoke(group, client, partitions) {
      const known = broker.findGroup(group);
      const members = clientsOf(broker, client).flatMap((each) => each.members);
      const owned = members.flatMap((member) => known?.ownedBy(member) ?? []);
      known?.takeAway(
        owned.filter(
          ({ log }) => partitions === undefined || partitions.some((wanted) => isSame(wanted, log)),
        ),
      );
    },
    removeBefore(topic, partition, offset) {
      broker.log({ topic, partition }).removeBefore(Number(offset));
    },
    compact(topic, partition) {
      broker.log({ topic, partition }).compact();
    },
    insertGap(topic, partition, count) {
      broker.log({ topic, partition }).insertGap(count);
    },
  };
}

function clientsOf({ clients }: FaultyBroker, wanted: MemoryClient): readonly BrokerClient[] {
  const id = idOf(wanted);
  const found = clients.filter(
    ({ clientId, transport }) => clientId === id || transport === wanted,
  );
  if (found.length > 0) return found;
  const known = clients.map(({ clientId }) => clientId);
  throw new BusConfigError(
    "BUS_CONFIG",
    `the broker has no client ${id}; it has ${known.join(", ") || "none"}`,
    {
      details: { path: "client", value: id, known },
    },
  );
}

function idOf(client: MemoryClient): string {
  if (typeof client === "string") return client;
  // A transport is found by itself.
  const id = "options" in client ? client.options["clientId"] : undefined;
  return typeof id === "string" ? id : "of this transport";
}

function isSame(left: TopicPartition, right: TopicPartition): boolean {
  return left.topic === right.topic && left.partition === right.partition;
}
