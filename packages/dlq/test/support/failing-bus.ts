import { bytesCodec, createEventBus, defineTopic } from "@bus/core";
import type { BusWith, ConfiguredTransport, Handler, Plugin, Topic } from "@bus/core";
import { dlq } from "@bus/dlq";
import type { DlqApi, DlqOptions } from "@bus/dlq";

/** Retries that tests do not wait for. */
export const FAST: NonNullable<DlqOptions["retry"]> = Object.freeze({
  attempts: 3,
  baseMs: 5,
  maxMs: 20,
  jitter: 0,
});

/** A topic of plain bytes. */
export function bytesTopic(name: string): Topic<Uint8Array> {
  return defineTopic<Uint8Array>(name, { codec: bytesCodec() });
}

/** A bus with dead letters. */
export type DlqBus = BusWith<readonly [Plugin<DlqApi>]>;

/** What a bus of a test is made of. */
export interface FailingBusOptions {
  readonly transport: ConfiguredTransport;
  readonly group?: string;
  readonly topic: string;
  readonly handler?: Handler<Uint8Array>;
  readonly dlq?: DlqOptions;
}

/** A running bus with one subscription. */
export async function failingBus(options: FailingBusOptions): Promise<DlqBus> {
  const { transport, group = "billing", topic, handler } = options;
  const bus = createEventBus({
    group,
    transport,
    drainTimeoutMs: 2_000,
    plugins: [dlq({ retry: FAST, leaseMs: 5_000, ...options.dlq })],
  });
  if (handler !== undefined) await bus.subscribe(bytesTopic(topic), handler);
  await bus.start();
  return bus;
}

/** Text as bytes and back. */
export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
export const text = (value: Uint8Array | null): string =>
  value === null ? "null" : Buffer.from(value).toString();
