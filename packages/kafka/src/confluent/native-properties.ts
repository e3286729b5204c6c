import { BusConfigError } from "@bus/core";
import type { Clock } from "@bus/core";
import type { OauthToken, DriverOptions } from "../driver-options.ts";
import type { ConfluentModule, NativeProperties } from "./confluent-client-types.ts";
import { adminProperties, consumerProperties, producerProperties } from "./confluent-config.ts";
import type { LibrdkafkaProperties } from "./confluent-config.ts";

const TOKEN_LIFETIME_MS = 3_600_000;

/** Properties as a client is constructed with them: with the callback that looks up tokens, where there is one. */
export function nativeProperties(
  properties: LibrdkafkaProperties,
  { net }: DriverOptions,
  clock: Clock,
): NativeProperties {
  const { sasl } = net;
  if (sasl?.mechanism !== "oauthbearer") return properties;
  return {
    ...properties,
    oauthbearer_token_refresh_cb: async () => nativeToken(await sasl.provider(), clock.now()),
  };
}

/**
 * Have librdkafka read the properties that a driver will use: only it knows all names and values. Nothing is connected.
 *
 * @throws BusConfigError `BUS_CONFIG` with librdkafka's reason.
 */
export function checkProperties(module: ConfluentModule, options: DriverOptions): void {
  try {
    void new module.Producer(adminProperties(options));
    void new module.Producer(producerProperties(options));
    void new module.KafkaConsumer(consumerProperties(options, "bus"));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const message = `librdkafka does not take the options of kafka(): ${reason}`;
    throw new BusConfigError("BUS_CONFIG", message, { cause, details: { path: "client" } });
  }
}

function nativeToken(token: OauthToken, nowMs: number): Readonly<Record<string, unknown>> {
  return {
    tokenValue: token.value,
    lifetime: token.expiresAtMs ?? nowMs + TOKEN_LIFETIME_MS,
    principal: token.principal ?? "",
    extensions: token.extensions ?? {},
  };
}
