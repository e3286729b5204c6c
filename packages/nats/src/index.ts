import { defineTransport } from "@bus/core";
import type { TransportDefinition } from "@bus/core";
import { CoreNatsTransport } from "./core-mode/core-nats-transport.ts";
import type { NatsOptions } from "./nats-options.ts";
import { NATS_OPTION_SCHEMA } from "./nats-schema.ts";
import { NatsTransport } from "./nats-transport.ts";

/**
 * NATS as a transport: `nats({ servers: ["localhost:4222"], partitions: 16 })`.
 *
 * @throws BusConfigError `BUS_CONFIG` for a wrong option.
 */
export const nats: TransportDefinition<NatsOptions> = defineTransport({
  name: "nats",
  options: NATS_OPTION_SCHEMA,
  create: (options, host) =>
    options.mode === "core"
      ? new CoreNatsTransport(options, host)
      : new NatsTransport(options, host),
});

export { NATS_DEFAULTS } from "./nats-defaults.ts";

export type {
  AuthOptions,
  LeaseOptions,
  NatsOptions,
  PublishOptions,
  ReconnectOptions,
  ResolvedLeaseOptions,
  ResolvedNatsOptions,
  ResolvedPublishOptions,
  ResolvedStreamOptions,
  StreamOptions,
  TlsOptions,
} from "./nats-options.ts";
