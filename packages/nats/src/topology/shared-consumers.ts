import { BusTransportError } from "@bus/core";
import type { StartFrom } from "@bus/core";
import type { ConsumerAdmin, ConsumerConfig, ConsumerInfo } from "./consumer-admin.ts";
import type { StreamAdmin } from "./stream-admin.ts";
import { consumerName } from "./subjects.ts";

const NANOS_PER_MS = 1_000_000;

/** What shared consumers are made with. */
export interface SharedConsumerSettings {
  readonly durable: string;
  readonly ackWaitMs: number;
  readonly maxAckPending: number;
  readonly maxDeliver: number | undefined;
  /** Time without a reader after which the server removes a consumer; never when absent. */
  readonly forgetAfterMs?: number | undefined;
}

/** The durable consumer of one group and topic, shared by all processes. */
export class SharedConsumer {
  readonly name: string;
  readonly #admin: ConsumerAdmin;
  readonly #stream: StreamAdmin;
  readonly #settings: SharedConsumerSettings;
  readonly #at: { readonly group: string; readonly topic: string; readonly startFrom: StartFrom };

  constructor(
    admin: ConsumerAdmin,
    stream: StreamAdmin,
    at: { readonly group: string; readonly topic: string; readonly startFrom: StartFrom } & {
      readonly settings: SharedConsumerSettings;
    },
  ) {
    this.#admin = admin;
    this.#stream = stream;
    this.#at = at;
    this.#settings = at.settings;
    this.name = consumerName(at.settings.durable, at.group, at.topic);
  }

  /**
   * Have the consumer as configured; one that exists keeps its position.
   *
   * @param position - First sequence of a new one, for a group that has been at work; by its start position when absent.
   * @throws BusTransportError `BUS_NO_OFFSET`
   */
  async open(position?: number): Promise<void> {
    const found = await this.#admin.find(this.name);
    const start = found?.config.opt_start_seq ?? position ?? (await this.#start());
    const wanted = this.#config(start);
    if (found === undefined || isOtherwise(found.config, wanted)) await this.#admin.put(wanted);
  }

  /** Forget the position of the group. */
  async discard(): Promise<void> {
    await this.#admin.delete(this.name);
  }

  async exists(): Promise<boolean> {
    return (await this.find()) !== undefined;
  }

  find(): Promise<ConsumerInfo | undefined> {
    return this.#admin.find(this.name);
  }

  async #start(): Promise<number> {
    const { group, topic, startFrom } = this.#at;
    if (startFrom === "earliest") return 1;
    if (startFrom === "latest") return (await this.#stream.get()).state.last_seq + 1;
    const message = `group ${group} has no position in ${topic} and the start position is none`;
    throw new BusTransportError("BUS_NO_OFFSET", message, { details: { group, topic } });
  }

  #config(start: number): ConsumerConfig {
    const { ackWaitMs, forgetAfterMs, maxAckPending, maxDeliver } = this.#settings;
    return {
      durable_name: this.name,
      ack_policy: "explicit",
      ack_wait: ackWaitMs * NANOS_PER_MS,
      max_ack_pending: maxAckPending,
      ...(maxDeliver === undefined ? {} : { max_deliver: maxDeliver }),
      deliver_policy: "by_start_sequence",
      opt_start_seq: start,
      filter_subject: this.#at.topic,
      replay_policy: "instant",
      ...(forgetAfterMs === undefined ? {} : { inactive_threshold: forgetAfterMs * NANOS_PER_MS }),
    };
  }
}

function isOtherwise(actual: ConsumerConfig, wanted: ConsumerConfig): boolean {
  return (
    actual.ack_wait !== wanted.ack_wait ||
    actual.max_ack_pending !== wanted.max_ack_pending ||
    (actual.max_deliver ?? -1) !== (wanted.max_deliver ?? -1)
  );
}
