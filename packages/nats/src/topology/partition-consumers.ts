import { BusTransportError } from "@bus/core";
import type { ConsumerAdmin, ConsumerInfo } from "./consumer-admin.ts";
import { consumerName, subjectOf } from "./subjects.ts";

const NANOS_PER_MS = 1_000_000;

/** A partition of a group's topic. */
export interface GroupPartition {
  readonly group: string;
  readonly topic: string;
  readonly partition: number;
}

/** What the consumer of a partition is made with. */
export interface PartitionConsumerSettings {
  readonly durable: string;
  readonly ackWaitMs: number;
  readonly maxAckPending: number;
  /** Time without a reader after which the server removes a consumer; never when absent. */
  readonly forgetAfterMs?: number;
}

/** Where an owner takes a partition over. */
export interface TakeOver extends GroupPartition {
  readonly epoch: number;
  /** Stream sequence up to which everything is known to be done; `undefined` when nothing is known. */
  readonly floor: number | undefined;
  /** First sequence when no floor is known anywhere. */
  readonly initialStart: () => Promise<number>;
}

/**
 * The consumers of partitions, one for each epoch of ownership.
 *
 * A name belongs to one epoch, so what an owner says that has been replaced goes to a consumer that does not exist any
 * more. A new one begins behind what the one before has acknowledged, and that one is deleted only when the new one is
 * there: whatever fails in between, the position is known to at least one of them.
 */
export class PartitionConsumers {
  readonly #admin: ConsumerAdmin;
  readonly #settings: PartitionConsumerSettings;

  constructor(admin: ConsumerAdmin, settings: PartitionConsumerSettings) {
    this.#admin = admin;
    this.#settings = settings;
  }

  /** Begin an epoch. @returns The first sequence that comes. */
  async takeOver(over: TakeOver): Promise<number> {
    const older = await this.#olderThan(over);
    const infos = await Promise.all(older.map((name) => this.#admin.find(name)));
    const floors = [over.floor, ...infos.map((info) => info?.ack_floor.stream_seq)].filter(
      (floor) => floor !== undefined,
    );
    const start = floors.length === 0 ? await over.initialStart() : Math.max(...floors) + 1;
    await this.recreate(over, start);
    for (const name of older) await this.#admin.delete(name);
    return start;
  }

  /**
   * As `recreate`, for a consumer that is missing or has lost deliveries.
   *
   * @throws BusTransportError `BUS_FENCED` when somebody has taken the partition over: then that is why.
   */
  async restore(at: GroupPartition & { readonly epoch: number }, start: number): Promise<void> {
    const newest = (await this.#epochs(at, this.#admin.namesNow())).at(-1) ?? 0;
    if (newest > at.epoch)
      throw new BusTransportError(
        "BUS_FENCED",
        `${at.topic}[${at.partition}] was taken over in epoch ${newest}, this is epoch ${at.epoch}`,
        { details: { ...at, newest } },
      );
    await this.recreate(at, start);
  }

  /** Have the consumer of an epoch begin anew; what it had delivered and nobody acknowledged comes again. */
  async recreate(at: GroupPartition & { readonly epoch: number }, start: number): Promise<void> {
    const name = this.nameOf(at, at.epoch);
    await this.#admin.delete(name);
    const { ackWaitMs, forgetAfterMs, maxAckPending } = this.#settings;
    await this.#admin.put({
      durable_name: name,
      // One acknowledgement stands for everything before it: that is what a position of a group is.
      ack_policy: "all",
      ack_wait: ackWaitMs * NANOS_PER_MS,
      max_ack_pending: maxAckPending,
      deliver_policy: "by_start_sequence",
      opt_start_seq: start,
      filter_subject: subjectOf(at.topic, at.partition, at.partition + 1),
      replay_policy: "instant",
      ...(forgetAfterMs === undefined ? {} : { inactive_threshold: forgetAfterMs * NANOS_PER_MS }),
    });
  }

  /** Forget an epoch and its position. */
  async discard(at: GroupPartition, epoch: number): Promise<void> {
    await this.#admin.delete(this.nameOf(at, epoch));
  }

  find(at: GroupPartition, epoch: number): Promise<ConsumerInfo | undefined> {
    return this.#admin.find(this.nameOf(at, epoch));
  }

  /** The consumer of the newest epoch; `undefined` when the group has never owned the partition. */
  async newest(at: GroupPartition): Promise<ConsumerInfo | undefined> {
    const epochs = await this.#epochs(at);
    const last = epochs.at(-1);
    return last === undefined ? undefined : await this.find(at, last);
  }

  nameOf(at: GroupPartition, epoch: number): string {
    return `${this.#prefix(at)}${epoch}`;
  }

  /** Consumers of former epochs, and the one of the last epoch, whether it is there or not. */
  async #olderThan(over: TakeOver): Promise<readonly string[]> {
    const epochs = (await this.#epochs(over)).filter((epoch) => epoch < over.epoch);
    // Made lately, it may be missing in a list that is not quite new.
    const last = over.epoch - 1;
    if (last > 0 && !epochs.includes(last)) epochs.push(last);
    return epochs.map((epoch) => this.nameOf(over, epoch));
  }

  async #epochs(
    at: GroupPartition,
    names: Promise<readonly string[]> = this.#admin.names(),
  ): Promise<number[]> {
    const prefix = this.#prefix(at);
    return (await names)
      .filter((name) => name.startsWith(prefix))
      .map((name) => Number(name.slice(prefix.length)))
      .toSorted((a, b) => a - b);
  }

  #prefix({ group, topic, partition }: GroupPartition): string {
    return `${consumerName(this.#settings.durable, group, topic)}-${partition}-e`;
  }
}
