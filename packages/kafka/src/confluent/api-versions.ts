import { BusTransportError } from "@bus/core";
import type { Clock } from "@bus/core";
import { createConnection } from "node:net";
import type { Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { ResolvedKafkaOptions, TlsOptions } from "../kafka-options.ts";

/** The request of KIP-848 by which a broker can be told. */
export const CONSUMER_GROUP_HEARTBEAT = 68;

const API_VERSIONS = 18;
const LENGTH_BYTES = 4;
const DEFAULT_PORT = 9092;

/**
 * Ask the first broker that answers which requests it knows. The client knows it too but does not tell; brokers answer
 * this one request before they ask for credentials.
 *
 * @returns Numbers of requests (Kafka's "API keys").
 * @throws BusTransportError `BUS_CONNECT` when no broker answers within `net.dialTimeoutMs`.
 */
export async function supportedApis(
  { brokers, net }: ResolvedKafkaOptions,
  clock: Clock,
): Promise<ReadonlySet<number>> {
  let cause: unknown;
  for (const broker of brokers) {
    try {
      return parseApis(
        await askBroker({ broker, tls: net.tls, timeoutMs: net.dialTimeoutMs, clock }),
      );
    } catch (error) {
      cause = error;
    }
  }
  const message = `asking ${brokers.join(", ")} for supported requests failed`;
  throw new BusTransportError("BUS_CONNECT", message, { cause });
}

/** Read an answer to ApiVersions, version 0, without its length in front. */
export function parseApis(answer: Buffer): ReadonlySet<number> {
  // Correlation id, error code, number of entries; then per entry key, first and last version.
  const entries = answer.readInt32BE(6);
  return new Set(Array.from({ length: entries }, (_, index) => answer.readInt16BE(10 + index * 6)));
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

/** Length, key, version 0, correlation id 0, no client id. */
function apiVersionsRequest(): Buffer {
  const request = Buffer.alloc(14);
  request.writeInt32BE(10, 0);
  request.writeInt16BE(API_VERSIONS, 4);
  request.writeInt16BE(-1, 12);
  return request;
}
