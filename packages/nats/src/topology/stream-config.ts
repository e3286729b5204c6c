import type { TopicDrift } from "@bus/core";
import type { ResolvedStreamOptions } from "../nats-options.ts";

const NANOS_PER_MS = 1_000_000;

/** A stream's settings by the server's own names, as far as the bus reads them; the rest is passed through. */
export interface StreamConfig {
  readonly name: string;
  readonly subjects?: readonly string[];
  readonly storage: string;
  readonly num_replicas: number;
  readonly max_age: number;
  readonly max_bytes: number;
  readonly max_msgs: number;
  readonly discard: string;
  readonly duplicate_window?: number;
  readonly retention: string;
}

/** `STREAM.INFO`, as far as the bus reads it. */
export interface StreamInfo {
  readonly config: StreamConfig;
  readonly state: {
    readonly first_seq: number;
    readonly last_seq: number;
    readonly messages: number;
    /** Messages per subject, when they were asked for. */
    readonly subjects?: Readonly<Record<string, number>> | null;
  };
}

/** The settings of a new stream. */
export function newStreamConfig(
  options: ResolvedStreamOptions,
  subjects: readonly string[],
): StreamConfig {
  return {
    name: options.name,
    subjects,
    retention: "limits",
    storage: options.storage,
    num_replicas: options.replicas,
    max_age: (options.maxAgeMs ?? 0) * NANOS_PER_MS,
    max_bytes: options.maxBytes ?? -1,
    max_msgs: options.maxMessages ?? -1,
    discard: options.discard,
    duplicate_window: options.duplicateWindowMs * NANOS_PER_MS,
  };
}

const COMPARED = [
  "retention",
  "storage",
  "num_replicas",
  "max_age",
  "max_bytes",
  "max_msgs",
  "discard",
  "duplicate_window",
] as const;

/** What an existing stream has otherwise than asked for. Subjects are looked at per topic. */
export function streamDrift(
  options: ResolvedStreamOptions,
  actual: StreamConfig,
): readonly TopicDrift[] {
  const wanted = newStreamConfig(options, []);
  return COMPARED.filter((property) => wanted[property] !== actual[property]).map((property) => ({
    topic: options.name,
    property: `stream.${property}`,
    expected: String(wanted[property]),
    actual: String(actual[property]),
  }));
}
