import type { Clock } from "@bus/core";
import { parseAckReply } from "../consume/ack-reply.ts";
import { statusNumber, statusOf } from "../wire/status-line.ts";
import type { JetStreamApi } from "./jetstream-api.ts";
import type { LinkMessage, LinkSubscription, NatsLink } from "./nats-link.ts";

const NANOS_PER_MS = 1_000_000;
const HEARTBEAT_MS = 5_000;
/** Silence after which the server's side of the watch is taken for lost. */
const SILENT_MS = 2.5 * HEARTBEAT_MS;
/** How long the server keeps a watch that nobody listens to. */
const ORPHAN_MS = 60_000;
const RETRY_MS = 500;
const IDLE_HEARTBEAT = 100;

/** What a watch needs. */
export interface BucketWatchParts {
  readonly api: JetStreamApi;
  readonly link: NatsLink;
  readonly clock: Clock;
  readonly bucket: string;
  /** What the keys begin with; the last token is complete. */
  readonly prefix: string;
  /** A value, or a deletion; the newest of a key may be told more than once. */
  readonly changed: (message: LinkMessage, sequence: number) => void;
  readonly ready: () => void;
}

interface CreatedConsumer {
  readonly num_pending?: number;
}

/**
 * Hears of the newest value of every key and of all changes after that. The server's side is made anew after a reconnect,
 * a gap or silence, and then tells every key's newest value again.
 */
export class BucketWatch {
  readonly #parts: BucketWatchParts;
  readonly #stopListening: () => void;
  #subscription: LinkSubscription | undefined;
  #cancelTimer: (() => void) | undefined;
  #isReady = false;
  #isStopped = false;
  /** Which making of the server's side is the newest. */
  #making = 0;
  #heardAtMs = 0;
  #next = 1;

  constructor(parts: BucketWatchParts) {
    this.#parts = parts;
    this.#stopListening = parts.link.listen({
      connected: () => this.#remake(),
      disconnected: () => undefined,
    });
  }

  /** Begin. @throws BusTransportError of the first attempt; later failures are tried again. */
  async start(): Promise<void> {
    await this.#make();
    this.#checkLater();
  }

  stop(): void {
    this.#isStopped = true;
    this.#making += 1;
    this.#stopListening();
    this.#cancelTimer?.();
    this.#subscription?.unsubscribe();
  }

  async #make(): Promise<void> {
    const { api, link, bucket, prefix, clock } = this.#parts;
    this.#making += 1;
    const making = this.#making;
    this.#subscription?.unsubscribe();
    const inbox = link.createInbox();
    this.#subscription = link.subscribe(inbox, (message) => this.#came(message, making));
    this.#heardAtMs = clock.monotonicMs();
    this.#next = 1;
    const config = {
      deliver_subject: inbox,
      deliver_policy: "last_per_subject",
      filter_subject: `$KV.${bucket}.${prefix}>`,
      ack_policy: "none",
      replay_policy: "instant",
      idle_heartbeat: HEARTBEAT_MS * NANOS_PER_MS,
      inactive_threshold: ORPHAN_MS * NANOS_PER_MS,
      mem_storage: true,
      num_replicas: 1,
    };
    const stream = `KV_${bucket}`;
    const created = await api.call<CreatedConsumer>(`CONSUMER.CREATE.${stream}`, {
      stream_name: stream,
      config,
    });
    if (making === this.#making && created.num_pending === 0) this.#ready();
  }

  #remake(): void {
    if (this.#isStopped) return;
    this.#make().catch(() => {
      // The connection is gone or the bucket has no leader: tried again until it works.
      if (this.#isStopped) return;
      this.#cancelTimer?.();
      this.#cancelTimer = this.#parts.clock.schedule(() => {
        this.#checkLater();
        this.#remake();
      }, RETRY_MS);
    });
  }

  #checkLater(): void {
    this.#cancelTimer?.();
    if (this.#isStopped) return;
    this.#cancelTimer = this.#parts.clock.schedule(() => {
      this.#checkLater();
      const { clock, link } = this.#parts;
      if (link.isConnected && clock.monotonicMs() - this.#heardAtMs > SILENT_MS) this.#remake();
    }, HEARTBEAT_MS);
  }

  #came(message: LinkMessage, making: number): void {
    if (making !== this.#making) return;
    this.#heardAtMs = this.#parts.clock.monotonicMs();
    if (statusOf(message) === IDLE_HEARTBEAT) {
      if (statusNumber(message, "Nats-Last-Consumer") >= this.#next) this.#remake();
      return;
    }
    const place = parseAckReply(message.reply);
    if (place === undefined) return;
    if (place.consumerSequence !== this.#next) return this.#remake();
    this.#next += 1;
    this.#parts.changed(message, place.streamSequence);
    // The last token tells how many are still to come.
    if (message.reply.endsWith(".0")) this.#ready();
  }

  #ready(): void {
    if (this.#isReady) return;
    this.#isReady = true;
    this.#parts.ready();
  }
}
