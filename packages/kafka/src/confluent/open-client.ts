import { BusTransportError } from "@bus/core";
import type { BusError, TransportHost } from "@bus/core";
import type { DriverOptions } from "../driver-options.ts";
import { callNative } from "./call-native.ts";
import { ClientEvents } from "./client-events.ts";
import type { ConnectionListener } from "./client-events.ts";
import type {
  ConfluentModule,
  NativeConsumer,
  NativeProducer,
  NativeProperties,
} from "./confluent-client-types.ts";
import { mapConfluentError } from "./map-confluent-error.ts";
import { nativeProperties } from "./native-properties.ts";
import type { LibrdkafkaProperties } from "./confluent-config.ts";

/** Longest time to wait for what a producer still holds when it is disconnected. */
const LAST_FLUSH_MS = 100;

/** What all clients of a driver share. */
export interface ClientParts {
  readonly module: ConfluentModule;
  readonly options: DriverOptions;
  readonly host: TransportHost;
  readonly listener: ConnectionListener;
}

/** A client that is connected, and what it reports. */
export interface OpenClient<TClient> {
  readonly client: TClient;
  readonly events: ClientEvents;
}

/** Connect a producer. @throws BusTransportError within `net.dialTimeoutMs`; nothing is left then. */
export async function openProducer(
  parts: ClientParts,
  properties: LibrdkafkaProperties,
): Promise<OpenClient<NativeProducer>> {
  const { module, options, host } = parts;
  const all = { ...nativeProperties(properties, options, host.clock), dr_cb: true };
  const opened = await connect(parts, "a producer", new module.Producer(all));
  opened.client.setPollInBackground(true);
  return opened;
}

/**
 * Connect a consumer, not yet a member of its group.
 *
 * @param callbacks - Properties that are functions; they are called from now on.
 * @throws BusTransportError within `net.dialTimeoutMs`; nothing is left then.
 */
export function openConsumer(
  parts: ClientParts,
  properties: LibrdkafkaProperties,
  callbacks: NativeProperties = {},
): Promise<OpenClient<NativeConsumer>> {
  const { module, options, host } = parts;
  const all = { ...nativeProperties(properties, options, host.clock), ...callbacks };
  return connect(parts, "a consumer", new module.KafkaConsumer(all));
}

/** Disconnect a producer; what it still holds is lost. Never rejects. */
export function closeProducer({ client }: OpenClient<NativeProducer>): Promise<void> {
  return disconnected(client, (done) => client.disconnect(LAST_FLUSH_MS, done));
}

/** Disconnect a consumer that has left its group. Never rejects. */
export function closeConsumer({ client }: OpenClient<NativeConsumer>): Promise<void> {
  return disconnected(client, (done) => client.disconnect(done));
}

async function connect<TClient extends NativeProducer | NativeConsumer>(
  { options, host, listener }: ClientParts,
  role: string,
  client: TClient,
): Promise<OpenClient<TClient>> {
  const doing = `connecting ${role} to ${options.brokers.join(", ")}`;
  const events = new ClientEvents({ logger: host.logger, listener, doing });
  events.attach(client);
  const timeout = options.net.dialTimeoutMs;
  try {
    await callNative((callback) => client.connect({ allTopics: false, timeout }, callback));
    return { client, events };
  } catch (error) {
    // The client has cleaned up by itself; its own disconnect would throw "not connected".
    throw events.refusal ?? connectError(doing, events.lastFailure, error);
  }
}

function connectError(doing: string, reason: string | undefined, cause: unknown): BusError {
  if (reason === undefined) return mapConfluentError(cause, { doing });
  return new BusTransportError("BUS_CONNECT", `${doing} failed: ${reason}`, { cause });
}

function disconnected(
  client: NativeProducer | NativeConsumer,
  disconnect: (done: () => void) => unknown,
): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      client.removeAllListeners();
      resolve();
    };
    try {
      disconnect(done);
    } catch {
      // Disconnected already, by a failure of its own.
      done();
    }
  });
}
