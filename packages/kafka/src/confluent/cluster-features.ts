import { BusTransportError } from "@bus/core";
import type { Clock } from "@bus/core";
import { createConnection } from "node:net";
import type { Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { DriverOptions, TlsOptions } from "../driver-options.ts";

/** The feature that stands for KIP-848; its level is 0, or absent, while the cluster does not use it. */
export const GROUP_VERSION = "group.version";

const API_VERSIONS = 18;
const API_VERSIONS_VERSION = 3;
/** Tag of the finalized features in the answer. */
const FINALIZED_FEATURES = 2;
const LENGTH_BYTES = 4;
const DEFAULT_PORT = 9092;
/** What this program calls itself. */
const SOFTWARE = "bus";

/**
 * Ask the first broker that answers which features its cluster uses. The client does not tell, and brokers know the
 * requests of a feature before they serve them; they answer this one before they ask for credentials.
 *
 * @returns Levels by the names of features.
 * @throws BusTransportError `BUS_CONNECT` when no broker answers within `net.dialTimeoutMs`.
 */
export async function clusterFeatures(
  { brokers, net }: DriverOptions,
  clock: Clock,
): Promise<ReadonlyMap<string, number>> {
  let cause: unknown;
  for (const broker of brokers) {
    try {
      const question = { broker, tls: net.tls, timeoutMs: net.dialTimeoutMs, clock };
      return parseFeatures(await askBroker(question));
    } catch (error) {
      cause = error;
    }
  }
  const message = `asking ${brokers.join(", ")} for the features of the cluster failed`;
  throw new BusTransportError("BUS_CONNECT", message, { cause });
}

/** Read an answer to ApiVersions, version 3, without its length in front. */
export function parseFeatures(answer: Buffer): ReadonlyMap<string, number> {
  const reader = new TaggedReader(answer);
  // Correlation id, error code; then per request its key, first and last version; then the throttle time.
  reader.skip(6);
  for (let left = reader.count(); left > 0; left -= 1) {
    reader.skip(6);
    reader.skipTags();
  }
  reader.skip(4);
  const found = new Map<string, number>();
  for (let left = reader.varint(); left > 0; left -= 1) {
    const tag = reader.varint();
    const size = reader.varint();
    if (tag === FINALIZED_FEATURES) readFeatures(reader, found);
    else reader.skip(size);
  }
  return found;
}

/** Name, highest and lowest level of each. */
function readFeatures(reader: TaggedReader, found: Map<string, number>): void {
  for (let left = reader.count(); left > 0; left -= 1) {
    const name = reader.text();
    found.set(name, reader.int16());
    reader.skip(2);
    reader.skipTags();
  }
}

/** Reads the compact encoding of Kafka's newer requests. Throws `RangeError` behind the end. */
class TaggedReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  skip(count: number): void {
    this.#at += count;
    if (this.#at > this.#bytes.length) throw new RangeError("the answer ends too soon");
  }

  int16(): number {
    const value = this.#bytes.readInt16BE(this.#at);
    this.#at += 2;
    return value;
  }

  varint(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.#bytes.readUInt8(this.#at);
      this.#at += 1;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  }

  /** A length or a number of entries, written one higher so that 0 can mean none. */
  count(): number {
    return Math.max(0, this.varint() - 1);
  }

  text(): string {
    const length = this.count();
    const from = this.#at;
    this.skip(length);
    return this.#bytes.toString("utf8", from, from + length);
  }

  skipTags(): void {
    for (let left = this.varint(); left > 0; left -= 1) {
      this.varint();
      this.skip(this.varint());
    }
  }
}

interface Question {
  readonly broker: string;
  readonly tls: TlsOptions | undefined;
  readonly timeoutMs: number;
  readonly clock: Clock;
}

function askBroker({ broker, tls, timeoutMs, clock }: Question): Promise<Buffer> {
  const socket = openSocket(broker, tls);
  return new Promise<Buffer>((resolve, reject) => {
    const cancel = clock.schedule(
      () => socket.destroy(new Error(`${broker} has not answered within ${timeoutMs} ms`)),
      timeoutMs,
    );
    let received: Buffer = Buffer.alloc(0);
    socket.on("data", (bytes: Buffer) => {
      received = Buffer.concat([received, bytes]);
      if (received.length < LENGTH_BYTES) return;
      const length = received.readInt32BE(0);
      if (received.length < LENGTH_BYTES + length) return;
      resolve(received.subarray(LENGTH_BYTES, LENGTH_BYTES + length));
      socket.destroy();
    });
    socket.on("error", reject);
    socket.on("close", () => {
      cancel();
      reject(new Error(`${broker} closed the connection`));
    });
    socket.write(apiVersionsRequest());
  });
}

function openSocket(broker: string, tls: TlsOptions | undefined): Socket {
  const colon = broker.lastIndexOf(":");
  const host = (colon < 0 ? broker : broker.slice(0, colon)).replace(/^\[|\]$/gu, "");
  const port = colon < 0 ? DEFAULT_PORT : Number(broker.slice(colon + 1));
  return tls === undefined ? createConnection({ host, port }) : connectTls({ host, port, ...tls });
}

/** Key, version, correlation id 0, no client id, no tags; then name and version of this program, no tags. */
function apiVersionsRequest(): Buffer {
  const header = Buffer.alloc(11);
  header.writeInt16BE(API_VERSIONS, 0);
  header.writeInt16BE(API_VERSIONS_VERSION, 2);
  header.writeInt16BE(-1, 8);
  const body = Buffer.concat([header, compactText(SOFTWARE), compactText("1"), Buffer.alloc(1)]);
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeInt32BE(body.length, 0);
  return Buffer.concat([length, body]);
}

function compactText(text: string): Buffer {
  return Buffer.concat([Buffer.from([text.length + 1]), Buffer.from(text)]);
}
