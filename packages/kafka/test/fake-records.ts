import type { Delivery, Settlement } from "@bus/core";
import { ACK, RELEASE } from "@bus/core";
import type {
  DeliveryOwner,
  FetchedRecords,
  OwnedDelivery,
  RecordWalk,
} from "../src/kafka-driver.ts";

/** A delivery without bytes, for tests of what lies above the drivers. */
export class FakeDelivery implements OwnedDelivery {
  readonly topic: string = "topic";
  readonly partition: number = 0;
  readonly timestampMs: number = 1;
  readonly key: Uint8Array | null = null;
  readonly value: Uint8Array | null = null;
  readonly headers: readonly [] = [];
  readonly attempt: number = 1;
  readonly sizeBytes: number;
  readonly offset: bigint;
  ticket: number;
  readonly #owner: DeliveryOwner;

  constructor(owner: DeliveryOwner, record: { offset: number; sizeBytes: number; ticket: number }) {
    this.#owner = owner;
    this.offset = BigInt(record.offset);
    this.sizeBytes = record.sizeBytes;
    this.ticket = record.ticket;
  }

  get draining(): AbortSignal {
    return this.#owner.draining;
  }

  get signal(): AbortSignal {
    return this.#owner.signal;
  }

  settle(settlement: Settlement): void {
    this.#owner.settle(this, settlement);
  }

  again(owner: DeliveryOwner, ticket: number): OwnedDelivery {
    const { sizeBytes } = this;
    return new FakeDelivery(owner, { offset: Number(this.offset), sizeBytes, ticket });
  }
}

class FakeWalk implements RecordWalk {
  readonly sizeBytes: number = 10;
  readonly #offsets: number[];
  readonly #brokenAfter: number | undefined;

  constructor(offsets: readonly number[], brokenAfter?: number) {
    this.#offsets = [...offsets];
    this.#brokenAfter = brokenAfter;
  }

  get offset(): number {
    return this.#offsets[0] ?? -1;
  }

  next(): void {
    const left = this.#offsets.shift();
    if (left !== this.#brokenAfter || left === undefined) return;
    this.#offsets.length = 0;
    throw new Error("bytes are not what they should be");
  }

  deliver(owner: DeliveryOwner, ticket: number): OwnedDelivery {
    return new FakeDelivery(owner, { offset: this.offset, sizeBytes: this.sizeBytes, ticket });
  }
}

/** What a fetch from `fetchedFrom` brought. */
export function fetched(
  fetchedFrom: number,
  offsets: readonly number[],
  more: {
    readonly nextPosition?: number;
    readonly end?: number;
    readonly partition?: number;
    readonly brokenAfter?: number;
  } = {},
): FetchedRecords {
  const nextPosition = more.nextPosition ?? Math.max(fetchedFrom, (offsets.at(-1) ?? -1) + 1);
  return {
    topic: "topic",
    partition: more.partition ?? 0,
    fetchedFrom,
    nextPosition,
    end: more.end ?? Math.max(nextPosition, 1_000_000),
    records: new FakeWalk(offsets, more.brokenAfter),
  };
}

/** Offsets from `from` to `to − 1`. */
export function range(from: number, to: number): readonly number[] {
  return Array.from({ length: to - from }, (_, index) => from + index);
}

/** Deliveries of a test, oldest first. */
export class Inbox {
  readonly deliveries: Delivery[] = [];

  readonly deliver = (delivery: Delivery): void => void this.deliveries.push(delivery);

  /** Offsets in the order of their arrival. */
  get offsets(): readonly number[] {
    return this.deliveries.map(({ offset }) => Number(offset));
  }

  ack(...offsets: readonly number[]): void {
    for (const offset of offsets) this.#newest(offset).settle(ACK);
  }

  release(...offsets: readonly number[]): void {
    for (const offset of offsets) this.#newest(offset).settle(RELEASE);
  }

  newest(offset: number): Delivery {
    return this.#newest(offset);
  }

  #newest(offset: number): Delivery {
    const found = this.deliveries.findLast((delivery) => delivery.offset === BigInt(offset));
    if (found === undefined) throw new RangeError(`offset ${offset} was not delivered`);
    return found;
  }
}

/** Let everything run that waits for the end of a turn. */
export async function turn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}
