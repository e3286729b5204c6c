import { backOffMs } from "@bus/core/adapter";
import type { Clock } from "@bus/core";
import type { LinkMessage, LinkSubscription, NatsLink } from "../client/nats-link.ts";
import { statusNumber, statusOf, statusTextOf } from "../wire/status-line.ts";
import { parseAckReply } from "./ack-reply.ts";
import { receivedMessage } from "./nats-delivery.ts";
import type { ReceivedMessage } from "./nats-delivery.ts";

const NANOS_PER_MS = 1_000_000;
/** How long one pull stays open at the server. */
const PULL_EXPIRES_MS = 30_000;
const HEARTBEAT_MS = 5_000;
/** Silence after which a pull is taken for lost. */
const SILENCE_MS = HEARTBEAT_MS * 2 + 1_000;
const RETRY = Object.freeze({ baseMs: 100, maxMs: 2_000, jitter: 0.2 });
/** Pulls that nobody took, one after another, until it is asked whether the consumer exists. */
const UNTAKEN_BEFORE_QUESTION = 3;

const IDLE_HEARTBEAT = 100;
const NO_MESSAGES = 404;
const TIMEOUT = 408;
const CONFLICT = 409;

/** What a pull stream tells its owner. */
export interface PullListener {
  /** More messages that may be asked for now, those already asked for not counted. */
  wanted(): number;
  received(message: ReceivedMessage): void;
  /** The consumer does not exist any more; nothing comes until somebody starts another stream. */
  consumerGone(): void;
}

/** What a pull stream is made of. */
export interface PullStreamParts {
  readonly link: NatsLink;
  readonly clock: Clock;
  readonly random: () => number;
  readonly stream: string;
  readonly consumer: string;
  readonly listener: PullListener;
  /** Whether the consumer exists; asked when pulls find nobody. */
  readonly exists: () => Promise<boolean>;
}

/** Keeps as many messages of one pull consumer requested as its owner wants, whatever happens to server and connection. */
export class PullStream {
  readonly #parts: PullStreamParts;
  readonly #inbox: string;
  readonly #nextMessage: string;
  readonly #stopListening: () => void;
  #subscription: LinkSubscription | undefined;
  #requested = 0;
  #heardAtMs = 0;
  #untaken = 0;
  #isStopped = false;
  #cancelWatch: (() => void) | undefined;
  #cancelRetry: (() => void) | undefined;

  constructor(parts: PullStreamParts) {
    this.#parts = parts;
    const { link, stream, consumer } = parts;
    this.#inbox = link.createInbox();
    this.#nextMessage = `$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer}`;
    this.#subscription = link.subscribe(this.#inbox, (message) => this.#came(message));
    this.#stopListening = link.listen({
      connected: () => this.#restart(),
      disconnected: () => (this.#requested = 0),
    });
    this.#heardAtMs = parts.clock.monotonicMs();
    this.#watch();
  }

  /** Ask for more when the owner wants enough of them. */
  pull(): void {
    const { clock, link, listener } = this.#parts;
    if (this.#isStopped || this.#cancelRetry !== undefined || !link.isConnected) return;
    const wanted = listener.wanted();
    const batch = wanted - this.#requested;
    // Small pulls cost as much as large ones.
    if (batch <= 0 || batch * 2 < wanted) return;
    if (this.#requested === 0) this.#heardAtMs = clock.monotonicMs();
    this.#requested += batch;
    const request = {
      batch,
      expires: PULL_EXPIRES_MS * NANOS_PER_MS,
      idle_heartbeat: HEARTBEAT_MS * NANOS_PER_MS,
    };
    link.publish(this.#nextMessage, Buffer.from(JSON.stringify(request)), { reply: this.#inbox });
  }

  /** Receive no more. Idempotent. */
  stop(): void {
    this.#end()?.unsubscribe();
  }

  /** Ask for no more; what is on its way still comes. Resolves when nothing can come any more. */
  async drain(): Promise<void> {
    await this.#end()?.drain();
  }

  #end(): LinkSubscription | undefined {
    this.#isStopped = true;
    this.#stopListening();
    this.#cancelWatch?.();
    this.#cancelRetry?.();
    const subscription = this.#subscription;
    this.#subscription = undefined;
    return subscription;
  }

  #came(message: LinkMessage): void {
    this.#heardAtMs = this.#parts.clock.monotonicMs();
    const status = statusOf(message);
    if (status !== 0) return this.#told(status, message);
    const { reply } = message;
    const ack = parseAckReply(reply);
    if (ack === undefined) return;
    this.#untaken = 0;
    if (this.#requested > 0) this.#requested -= 1;
    this.#parts.listener.received(receivedMessage(message, reply, ack));
    this.pull();
  }

  #told(status: number, message: LinkMessage): void {
    if (status === IDLE_HEARTBEAT || this.#isStopped) return;
    if (status === NO_MESSAGES || status === TIMEOUT) {
      const left = statusNumber(message, "Nats-Pending-Messages");
      this.#requested = left === 0 ? 0 : Math.max(this.#requested - left, 0);
      return this.pull();
    }
    this.#requested = 0;
    if (status === CONFLICT && /consumer deleted/iu.test(statusTextOf(message)))
      return this.#parts.listener.consumerGone();
    this.#untaken += 1;
    this.#retryLater();
  }

  /** A leader is elected, a server leaves: try again, and ask whether the consumer is there when that does not help. */
  #retryLater(): void {
    const { clock, random } = this.#parts;
    this.#cancelRetry?.();
    const delayMs = backOffMs(Math.max(this.#untaken, 1), RETRY, random);
    this.#cancelRetry = clock.schedule(() => {
      this.#cancelRetry = undefined;
      if (this.#untaken >= UNTAKEN_BEFORE_QUESTION) void this.#question();
      else this.pull();
    }, delayMs);
  }

  async #question(): Promise<void> {
    const { exists, listener } = this.#parts;
    // No answer is no answer; the next pull that finds nobody asks again.
    const isThere = await exists().catch(() => true);
    if (this.#isStopped) return;
    if (isThere) this.pull();
    else listener.consumerGone();
  }

  #restart(): void {
    this.#requested = 0;
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
    this.pull();
  }

  #watch(): void {
    const { clock } = this.#parts;
    this.#cancelWatch = clock.schedule(() => {
      const silentMs = clock.monotonicMs() - this.#heardAtMs;
      if (this.#requested > 0 && silentMs > SILENCE_MS) {
        this.#untaken += 1;
        this.#requested = 0;
        this.#retryLater();
      }
      this.#watch();
    }, HEARTBEAT_MS);
  }
}
