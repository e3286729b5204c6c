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
