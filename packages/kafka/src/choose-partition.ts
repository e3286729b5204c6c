import { BusConfigError } from "@bus/core";
import { fnv1aPartitionOf, partitionOf } from "@bus/core/adapter";
import type { Partitioner } from "./driver-options.ts";

/** The partition of a key. @throws BusConfigError `BUS_CONFIG` when a function's answer is no partition. */
export function partitionOfKey(
  partitioner: Partitioner,
  key: Uint8Array,
  partitions: number,
): number {
  if (partitioner === "murmur2") return partitionOf(key, partitions);
  if (partitioner === "fnv1a") return fnv1aPartitionOf(key, partitions);
  const chosen = partitioner(key, partitions);
  if (Number.isInteger(chosen) && chosen >= 0 && chosen < partitions) return chosen;
  const message = `producer.partitioner must return a whole number from 0 to ${partitions - 1}, got ${chosen}`;
  throw new BusConfigError("BUS_CONFIG", message, {
    details: { path: "producer.partitioner", value: chosen },
  });
}

/** When messages without a key go on to the next partition. */
export interface SpreadLimits {
  readonly messages: number;
  readonly bytes: number;
}

/**
 * Spreads messages without a key: a run of them stays in one partition until it fills a batch, then goes on to the next,
 * so that batches are large and partitions even.
 *
 * Source: KIP-794.
 */
export class KeylessSpread {
  readonly #limits: SpreadLimits;
  readonly #runs = new Map<string, { partition: number; messages: number; bytes: number }>();
  readonly #random: () => number;

  constructor(limits: SpreadLimits, random: () => number) {
    this.#limits = limits;
    this.#random = random;
  }

  /** The partition of the next message of a topic. */
  next(topic: string, sizeBytes: number, partitions: number): number {
    const run = this.#runs.get(topic) ?? {
      partition: Math.floor(this.#random() * partitions),
      messages: 0,
      bytes: 0,
    };
    if (run.messages >= this.#limits.messages || run.bytes >= this.#limits.bytes) {
      run.partition += 1;
      run.messages = 0;
      run.bytes = 0;
    }
    run.messages += 1;
    run.bytes += sizeBytes;
    run.partition %= partitions;
    this.#runs.set(topic, run);
    return run.partition;
  }

  /** The batches that were open have gone out: the next message may as well go elsewhere. */
  turn(topic: string): void {
    const run = this.#runs.get(topic);
    if (run !== undefined) run.messages = this.#limits.messages;
  }
}
