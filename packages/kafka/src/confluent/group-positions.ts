import type { PartitionOffset } from "../kafka-driver.ts";
import { callNative } from "./call-native.ts";
import type { NativeConsumer, NativePosition } from "./confluent-client-types.ts";
import type { Partition } from "./confluent-admin.ts";
import { offsetReaderProperties } from "./confluent-config.ts";
import { mapConfluentError } from "./map-confluent-error.ts";
import { closeConsumer, openConsumer } from "./open-client.ts";
import type { ClientParts, OpenClient } from "./open-client.ts";

const ANSWER_TIMEOUT_MS = 5_000;
/** Groups whose reader is kept for the next question. */
const MAX_READERS = 8;

type Reader = Promise<OpenClient<NativeConsumer>>;

/**
 * Reads positions of groups, with one client per group that never joins it.
 *
 * The admin client has a call for this, but it ends the process with a segmentation fault when the broker answers with
 * an error for the group: when the coordinator is not there yet, or access is denied.
 */
export class GroupPositions {
  readonly #parts: ClientParts;
  readonly #readers = new Map<string, Reader>();
  #reading: Promise<unknown> = Promise.resolve();
  #retired: Promise<unknown> = Promise.resolve();

  constructor(parts: ClientParts) {
    this.#parts = parts;
  }

  /** Positions of a group at these partitions; those without one are absent. @throws BusTransportError. */
  read(group: string, partitions: readonly Partition[]): Promise<readonly PartitionOffset[]> {
    const reading = this.#read(group, partitions);
    this.#reading = Promise.allSettled([this.#reading, reading]);
    return reading;
  }

  async #read(
    group: string,
    partitions: readonly Partition[],
  ): Promise<readonly PartitionOffset[]> {
    try {
      const { client } = await this.#reader(group);
      return committedPositions(
        await callNative<readonly NativePosition[]>((callback) =>
          client.committed(partitions, ANSWER_TIMEOUT_MS, callback),
        ),
      );
    } catch (error) {
      throw mapConfluentError(error, {
        doing: `reading offsets of group ${group}`,
        details: { group },
      });
    }
  }

  /** A client that carries the group's name and is not a member of it. @throws BusTransportError. */
  async client(group: string): Promise<NativeConsumer> {
    return (await this.#reader(group)).client;
  }

  /** Disconnect. */
  async close(): Promise<void> {
    for (const group of this.#readers.keys()) this.#retire(group);
    await this.#retired;
  }

  #reader(group: string): Reader {
    const known = this.#readers.get(group);
    this.#readers.delete(group);
    const reader = known ?? this.#open(group);
    this.#readers.set(group, reader);
    const [oldest] = this.#readers.keys();
    if (this.#readers.size > MAX_READERS && oldest !== undefined) this.#retire(oldest);
    return reader;
  }

  #open(group: string): Reader {
    const reader = openConsumer(this.#parts, offsetReaderProperties(this.#parts.options, group));
    reader.catch(() => {
      if (this.#readers.get(group) === reader) this.#readers.delete(group);
    });
    return reader;
  }

  /** A client must not be disconnected while it is asked something: the addon would use memory that is free by then. */
  #retire(group: string): void {
    const reader = this.#readers.get(group);
    this.#readers.delete(group);
    const closed = this.#reading
      .then(() => reader)
      .then((opened) => opened && closeConsumer(opened));
    this.#retired = Promise.allSettled([this.#retired, closed]);
  }
}

/** Positions in the client's answer; a partition without one has no offset in it. */
export function committedPositions(answer: readonly NativePosition[]): readonly PartitionOffset[] {
  return answer.flatMap(({ topic, partition, offset }) =>
    offset === undefined || offset < 0 ? [] : [{ topic, partition, offset: BigInt(offset) }],
  );
}
