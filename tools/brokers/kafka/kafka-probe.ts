import { connect } from "node:net";

import { BrokersError } from "../brokers-error.ts";

const METADATA = { apiKey: 3, apiVersion: 4 };
const PROBE_TIMEOUT_MS = 2_000;
const CLIENT_ID = "bus-brokers";

/** What a broker says about its cluster. */
export interface ClusterView {
  /** Ids of the brokers that it takes for alive. */
  readonly brokerIds: readonly number[];
  /** -1 while there is none. */
  readonly controllerId: number;
}

/**
 * Ask a broker for its view of the cluster (Metadata v4 with no topics), on a plain-text listener.
 *
 * @param address - `host:port`.
 * @returns undefined when nothing listens there yet, or it does not answer within 2 s.
 * Source: the Kafka protocol guide, https://kafka.apache.org/protocol.
 */
export async function clusterView(address: string): Promise<ClusterView | undefined> {
  const response = await exchange(address, metadataRequest());
  return response === undefined ? undefined : parseMetadataResponse(response);
}

async function exchange(address: string, request: Buffer): Promise<Buffer | undefined> {
  return await new Promise((resolve) => {
    const socket = connect(hostAndPort(address));
    const finish = (response: Buffer | undefined): void => {
      socket.destroy();
      resolve(response);
    };
    let received = Buffer.alloc(0);
    socket.setTimeout(PROBE_TIMEOUT_MS, () => finish(undefined));
    socket.once("error", () => finish(undefined));
    socket.once("close", () => finish(undefined));
    socket.once("connect", () => socket.write(request));
    socket.on("data", (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      if (received.length >= 4 && received.length >= 4 + received.readInt32BE(0))
        finish(received.subarray(4));
    });
  });
}

/**
 * Split `host:port`, where an IPv6 host stands in brackets.
 *
 * @throws BrokersError `INVALID` when it is not that.
 */
export function hostAndPort(address: string): { host: string; port: number } {
  const [, host = "", digits = ""] = /^\[?([^[\]]+)\]?:(\d+)$/.exec(address) ?? [];
  const port = Number(digits);
  if (host === "" || port < 1 || port > 65_535)
    throw new BrokersError("INVALID", `an address must be host:port, got ${address}`);
  return { host, port };
}

function metadataRequest(): Buffer {
  const clientId = Buffer.from(CLIENT_ID);
  const request = Buffer.alloc(4 + 2 + 2 + 4 + 2 + clientId.length + 4 + 1);
  let at = request.writeInt32BE(request.length - 4, 0);
  at = request.writeInt16BE(METADATA.apiKey, at);
  at = request.writeInt16BE(METADATA.apiVersion, at);
  at = request.writeInt32BE(1, at); // correlation id
  at = request.writeInt16BE(clientId.length, at);
  at += clientId.copy(request, at);
  at = request.writeInt32BE(0, at); // no topics
  request.writeInt8(0, at); // create none either
  return request;
}

/**
 * Read the brokers and the controller out of a Metadata v4 response.
 *
 * @param response - Without the length prefix: correlation id, throttle time, brokers, cluster id, controller id, topics.
 */
export function parseMetadataResponse(response: Buffer): ClusterView {
  let at = 8; // correlation id, throttle time
  const brokerIds: number[] = [];
  const brokers = response.readInt32BE(at);
  at += 4;
  for (let index = 0; index < brokers; index += 1) {
    brokerIds.push(response.readInt32BE(at));
    at = afterString(response, at + 4) + 4; // host, port
    at = afterString(response, at); // rack
  }
  return { brokerIds, controllerId: response.readInt32BE(afterString(response, at)) };
}

function afterString(response: Buffer, at: number): number {
  return at + 2 + Math.max(0, response.readInt16BE(at));
}
