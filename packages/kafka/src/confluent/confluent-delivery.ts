import type { HeaderList, Settlement } from "@bus/core";
import type { DeliveryOwner, OwnedDelivery, RecordWalk } from "../kafka-driver.ts";
import type { NativeMessage } from "./confluent-client-types.ts";

const NO_HEADERS: HeaderList = Object.freeze([]);
const NO_BYTES = new Uint8Array(0);

type NativeHeader = Readonly<Record<string, Buffer>>;

/** A message of the client as a delivery; its headers are converted when they are read. */
export class ConfluentDelivery implements OwnedDelivery {
  ticket: number;
  readonly sizeBytes: number;
  readonly #message: NativeMessage;
  #owner: DeliveryOwner;
  #headers: HeaderList | undefined;

  constructor(message: NativeMessage, sizeBytes: number, owner: DeliveryOwner) {
    this.ticket = -1;
    this.sizeBytes = sizeBytes;
    this.#message = message;
    this.#owner = owner;
  }

  get topic(): string {
    return this.#message.topic;
  }

  get partition(): number {
    return this.#message.partition;
  }

  get offset(): bigint {
    return BigInt(this.#message.offset);
  }

  get timestampMs(): number {
    return this.#message.timestamp;
  }

  get key(): Uint8Array | null {
    return this.#message.key;
  }

  get value(): Uint8Array | null {
    return this.#message.value;
  }

  get headers(): HeaderList {
    this.#headers ??= this.#message.headers?.map(headerOf) ?? NO_HEADERS;
    return this.#headers;
  }

  get attempt(): number {
    return 1;
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
    this.#owner = owner;
    this.ticket = ticket;
    return this;
  }
}

/** Walks the messages of one partition that stand side by side in what one call brought. */
export class MessageRun implements RecordWalk {
  readonly #messages: readonly NativeMessage[];
  readonly #end: number;
  #index: number;
  #bytes = -1;

  /** @param end - Index behind the last message of the run. */
  constructor(messages: readonly NativeMessage[], start: number, end: number) {
    this.#messages = messages;
    this.#index = start;
    this.#end = end;
  }

  get offset(): number {
    return this.#index < this.#end ? this.#message.offset : -1;
  }

  get sizeBytes(): number {
    if (this.#bytes < 0) this.#bytes = messageBytes(this.#message);
    return this.#bytes;
  }

  deliver(owner: DeliveryOwner, ticket: number): OwnedDelivery {
    const delivery = new ConfluentDelivery(this.#message, this.sizeBytes, owner);
    delivery.ticket = ticket;
    return delivery;
  }

  next(): void {
    this.#index += 1;
    this.#bytes = -1;
  }

  get #message(): NativeMessage {
    const message = this.#messages[this.#index];
    if (message === undefined) throw new RangeError("the walk does not stand at a record");
    return message;
  }
}

/** Bytes of key, value and headers. */
function messageBytes({ key, size, headers }: NativeMessage): number {
  let bytes = size + (key === null ? 0 : key.length);
  if (headers === undefined) return bytes;
  for (const header of headers) {
    const [name, value] = headerOf(header);
    bytes += name.length + value.length;
  }
  return bytes;
}

/** A header is an object with one property. Named `__proto__` it has none: the addon has set its prototype instead. */
function headerOf(header: NativeHeader): readonly [name: string, value: Uint8Array] {
  const [name] = Object.keys(header);
  if (name !== undefined) return [name, header[name] ?? NO_BYTES];
  const prototype: unknown = Object.getPrototypeOf(header);
  return ["__proto__", prototype instanceof Uint8Array ? prototype : NO_BYTES];
}
