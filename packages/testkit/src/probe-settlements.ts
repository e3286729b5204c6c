import type { Delivery, Observer, PluginHost, SettledOutcome, SubscriptionSpec } from "@bus/core";
import type { ProbeRecords, ProbeWait } from "./probe-records.ts";

/** Settlements that came before their publish was seen; older ones are forgotten. */
const KEPT_EARLY = 100_000;
const SHOWN = 10;

interface Place {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
}

/** Knows what a bus has received or published and not settled. */
export class ProbeSettlements {
  readonly #records: ProbeRecords;
  readonly #pending = new Set<string>();
  readonly #early = new Set<string>();
  #inFlight = 0;

  constructor(records: ProbeRecords) {
    this.#records = records;
  }

  /** The observer that feeds it. */
  observer(host: PluginHost): Observer {
    return {
      received: () => void this.#inFlight++,
      settled: (delivery, subscription, outcome) => this.#settled(delivery, subscription, outcome),
      published: (topic, receipts) => {
        const groups = host.subscriptions().filter(({ spec }) => spec.topic === topic);
        for (const { partition, offset } of receipts) {
          if (offset === undefined) continue;
          for (const { spec } of groups) this.#expect(idOf(spec, { topic, partition, offset }));
        }
        this.#records.wake();
      },
    };
  }

  /** Wait until nothing is missing. */
  async settled(options: ProbeWait | undefined): Promise<void> {
    const find = (): true | undefined =>
      this.#inFlight === 0 && this.#pending.size === 0 ? true : undefined;
    await this.#records.wait(find, options, () => {
      const missing = [...this.#pending].slice(0, SHOWN).join(", ");
      const published =
        this.#pending.size === 0
          ? ""
          : `; published and not settled: ${this.#pending.size}, first ${missing}`;
      return `every message to be settled; in flight: ${this.#inFlight}${published}`;
    });
  }

  #expect(id: string): void {
    if (!this.#early.delete(id)) this.#pending.add(id);
  }

  #settled(delivery: Delivery, spec: SubscriptionSpec, outcome: SettledOutcome): void {
    this.#inFlight--;
    // What was nacked or given back comes again.
    const final = outcome !== "nack" && outcome !== "aborted";
    const id = idOf(spec, delivery);
    if (final && !this.#pending.delete(id)) this.#rememberEarly(id);
    this.#records.wake();
  }

  #rememberEarly(id: string): void {
    this.#early.add(id);
    if (this.#early.size <= KEPT_EARLY) return;
    for (const oldest of this.#early) {
      this.#early.delete(oldest);
      return;
    }
  }
}

function idOf(spec: SubscriptionSpec, { topic, partition, offset }: Place): string {
  return `${topic}/${partition}/${offset} in group ${spec.group}`;
}
