import type { BusError, Clock } from "@bus/core";
import { backOffMs } from "@bus/core/adapter";
import { brokerError } from "../map-kafka-error.ts";
import type { PartitionQueue } from "./partition-queue.ts";
import type { ProducedBatch } from "./produce-request.ts";
import { judgeProduced } from "./produce-verdict.ts";
import type { ProducerIdentities } from "./producer-identities.ts";
import { nextSequence } from "./record-batch-writer.ts";
import type { RecordAccumulator } from "./record-accumulator.ts";
import type { SealedBatch } from "./sealed-batch.ts";
import { closedError, outOfRetries, outOfTime, unknownOutcome } from "./send-errors.ts";
import type { Lateness } from "./send-errors.ts";

/** How often deadlines are looked at while something is under way. */
const SWEEP_MS = 100;
/** The pause before a retry doubles up to so many times the first. */
const MOST_BACK_OFFS = 32;
const JITTER = 0.2;
/** What is assumed of a batch that an answer leaves out. */
const UNKNOWN_SERVER_ERROR = -1;
/** A request is closed at so many bytes, whatever the number of its partitions. */
const MAX_REQUEST_BYTES = 16 * 1024 * 1024;

/** What became of a request. */
export type SendOutcome =
  | { readonly kind: "answered"; readonly batches: readonly ProducedBatch[] }
  /** No answer was asked for. */
  | { readonly kind: "unacknowledged" }
  /** It never went out. */
  | { readonly kind: "unsent"; readonly error: BusError }
  /** It went out and no answer came: it may have been carried out. */
  | { readonly kind: "unanswered"; readonly error: BusError };

/** What a sender needs. */
export interface BatchSenderParts {
  readonly clock: Clock;
  readonly random: () => number;
  readonly accumulator: RecordAccumulator;
  /** `undefined` for a producer that is not idempotent. */
  readonly identities: Pick<ProducerIdentities, "other"> | undefined;
  readonly maxInFlight: number;
  readonly retryMax: number;
  readonly retryBackoffMs: number;
  readonly timeoutMs: number;
  readonly maxBatchBytes: number;
  /** Node id of a partition's leader; −1 while there is none. */
  leaderOf(topic: string, partition: number): number;
  /** Leaders of these topics may have moved; look again. */
  refreshLeaders(topics: readonly string[]): void;
  /** One request, once; never rejects. Never two of one partition at a time. */
  send(leader: number, batches: readonly SealedBatch[]): Promise<SendOutcome>;
  /** A batch is over and done with. */
  recycle(batch: SealedBatch): void;
  /** A batch was sent as another producer though the broker may have it: it may be stored twice. */
  onIdempotenceGap(batch: SealedBatch): void;
}

/**
 * Sends ready batches, one request per partition leader with one batch per partition at most, and never two requests
 * with one partition at a time: with the client below, everything else loses or reorders acknowledged messages.
 *
 * A batch that was not stored stays at the head of its partition and is sent again, to whichever broker leads the
 * partition then, until it is stored, refused for good, out of retries or out of time.
 */
export class BatchSender {
  readonly #parts: BatchSenderParts;
  readonly #requests = new Map<number, number>();
  readonly #onEmpty: (() => void)[] = [];
  #cancelSweep: (() => void) | undefined;
  #lastError: unknown;

  constructor(parts: BatchSenderParts) {
    this.#parts = parts;
  }

  /** Resolves when nothing taken is without an outcome. */
  flush(): Promise<void> {
    this.#parts.accumulator.flush();
    return new Promise((resolve) => {
      this.#onEmpty.push(resolve);
      this.#tellEmpty();
    });
  }

  /** Remember why nothing can be sent, for records that run out of time. */
  noteFailure(error: unknown): void {
    this.#lastError = error;
  }

  /** Send what is ready. */
  dispatch(): void {
    const byLeader = new Map<number, PartitionQueue[]>();
    const leaderless = new Set<string>();
    for (const queue of this.#parts.accumulator.ready()) {
      const leader = this.#parts.leaderOf(queue.topic, queue.partition);
      if (leader < 0) leaderless.add(queue.topic);
      else if (this.#identify(queue))
        byLeader.set(leader, [...(byLeader.get(leader) ?? []), queue]);
    }
    if (leaderless.size > 0) this.#parts.refreshLeaders([...leaderless]);
    for (const [leader, queues] of byLeader) this.#sendTo(leader, queues);
    if (!this.#parts.accumulator.isEmpty) this.#sweepLater();
    this.#tellEmpty();
  }

  /**
   * Fail what has no outcome yet and send no more.
   *
   * @param error - Said of every record; when absent, that of what was sent is that nobody knows.
   */
  close(error?: BusError): void {
    this.#cancelSweep?.();
    for (const queue of this.#parts.accumulator.active) {
      const { inFlight, retry } = queue;
      const closed = error ?? closedError(queue);
      queue.retry = undefined;
      for (const batch of [inFlight, retry]) {
        const isUnknown =
          error === undefined && (batch === inFlight || batch?.isPerhapsStored === true);
        batch?.failed(isUnknown ? unknownOutcome(batch, closed) : closed);
      }
      queue.expireWaiting(Infinity, () => closed);
    }
    this.#parts.accumulator.close();
    this.#tellEmpty();
  }

  /** Give a partition of an idempotent producer its identity; `false` while there is none. */
  #identify(queue: PartitionQueue): boolean {
    const { identities } = this.#parts;
    if (identities === undefined || queue.identity !== undefined) return true;
    queue.identity = identities.other(queue.retiredIdentity);
    queue.nextSequence = 0;
    return queue.identity !== undefined;
  }

  #sendTo(leader: number, queues: readonly PartitionQueue[]): void {
    let next = 0;
    while (next < queues.length && (this.#requests.get(leader) ?? 0) < this.#parts.maxInFlight) {
      const sent: PartitionQueue[] = [];
      const batches: SealedBatch[] = [];
      for (
        let bytes = 0;
        next < queues.length && bytes < MAX_REQUEST_BYTES;
        bytes += this.#parts.maxBatchBytes
      ) {
        const queue = queues[next++];
        if (queue === undefined) break;
        sent.push(queue);
        batches.push(stamped(queue));
      }
      void this.#request(leader, sent, batches);
    }
  }

  async #request(
    leader: number,
    queues: readonly PartitionQueue[],
    batches: readonly SealedBatch[],
  ): Promise<void> {
    this.#requests.set(leader, (this.#requests.get(leader) ?? 0) + 1);
    const outcome = await this.#parts.send(leader, batches);
    this.#requests.set(leader, (this.#requests.get(leader) ?? 1) - 1);
    const moved = new Set<string>();
    for (const [index, queue] of queues.entries()) {
      const batch = batches[index];
      if (batch === undefined) continue;
      queue.inFlight = undefined;
      if (!this.#conclude(queue, batch, outcome)) moved.add(queue.topic);
      if (queue.retry !== batch) this.#parts.recycle(batch);
      this.#parts.accumulator.changed(queue);
    }
    if (moved.size > 0) this.#parts.refreshLeaders([...moved]);
  }

  /** @returns Whether the partition's leader is where it was looked for. */
  #conclude(queue: PartitionQueue, batch: SealedBatch, outcome: SendOutcome): boolean {
    if (outcome.kind === "unacknowledged") {
      batch.stored(undefined);
      return true;
    }
    if (outcome.kind !== "answered") {
      if (outcome.kind === "unanswered") batch.isPerhapsStored = true;
      this.#retry(queue, batch, outcome.error);
      return false;
    }
    const answer = outcome.batches.find(
      ({ topic, partition }) => topic === batch.topic && partition === batch.partition,
    );
    return this.#judge(queue, batch, answer);
  }

  #judge(queue: PartitionQueue, batch: SealedBatch, answer: ProducedBatch | undefined): boolean {
    const errorCode = answer?.errorCode ?? UNKNOWN_SERVER_ERROR;
    const verdict = judgeProduced(errorCode);
    if (verdict === "stored") {
      const baseOffset = Number(answer?.baseOffset ?? -1);
      queue.nextSequence = nextSequence(queue.nextSequence, batch.records.length);
      batch.stored(baseOffset < 0 ? undefined : baseOffset);
      return true;
    }
    const { topic, partition } = batch;
    const error = brokerError(errorCode, {
      doing: `publishing to ${topic}[${partition}]`,
      details: { topic, partition },
    });
    if (verdict === "fail" || (verdict === "split" && batch.records.length === 1)) {
      this.#fail(queue, batch, error);
    } else if (verdict === "split" && !batch.isExpired) {
      queue.split(batch);
    } else {
      if (verdict === "retryUnsure") batch.isPerhapsStored = true;
      if (verdict === "renewIdentity") this.#renewIdentity(queue, batch);
      this.#retry(queue, batch, error);
    }
    return false;
  }

  #retry(queue: PartitionQueue, batch: SealedBatch, error: BusError): void {
    const { clock, random, retryMax, retryBackoffMs } = this.#parts;
    this.#lastError = error;
    if (batch.isExpired || batch.attempts > retryMax) {
      this.#fail(queue, batch, outOfRetries(batch, error));
      return;
    }
    const policy = {
      baseMs: retryBackoffMs,
      maxMs: retryBackoffMs * MOST_BACK_OFFS,
      jitter: JITTER,
    };
    queue.retry = batch;
    queue.notBeforeMs = clock.monotonicMs() + backOffMs(batch.attempts, policy, random);
  }

  #fail(queue: PartitionQueue, batch: SealedBatch, error: BusError): void {
    batch.failed(batch.isPerhapsStored ? unknownOutcome(batch, error) : error);
    // Whether the broker counts its sequence numbers is not known, so the next batch cannot go on from them.
    if (batch.isPerhapsStored && queue.identity !== undefined) retire(queue);
  }

  #renewIdentity(queue: PartitionQueue, batch: SealedBatch): void {
    if (batch.isPerhapsStored) this.#parts.onIdempotenceGap(batch);
    batch.stamp = undefined;
    retire(queue);
  }

  #sweepLater(): void {
    this.#cancelSweep ??= this.#parts.clock.schedule(() => {
      this.#cancelSweep = undefined;
      this.#sweep();
      if (!this.#parts.accumulator.isEmpty) this.#sweepLater();
    }, SWEEP_MS);
  }

  /** Fail what has run out of time. */
  #sweep(): void {
    const nowMs = this.#parts.clock.monotonicMs();
    for (const queue of this.#parts.accumulator.active) {
      const { inFlight, retry } = queue;
      inFlight?.expire(nowMs, () => unknownOutcome(inFlight, outOfTime(queue, this.#lateness)));
      if (retry !== undefined && retry.deadlineAtMs <= nowMs) {
        queue.retry = undefined;
        this.#fail(queue, retry, outOfTime(queue, this.#lateness));
        this.#parts.recycle(retry);
      }
      const expired = queue.expireWaiting(nowMs, () => outOfTime(queue, this.#lateness));
      if (expired > 0 || queue.isEmpty) this.#parts.accumulator.changed(queue);
    }
  }

  get #lateness(): Lateness {
    return { timeoutMs: this.#parts.timeoutMs, cause: this.#lastError };
  }

  #tellEmpty(): void {
    if (!this.#parts.accumulator.isEmpty) return;
    for (const resolve of this.#onEmpty.splice(0)) resolve();
  }
}

/** The batch to send, with what the broker recognises it by. */
function stamped(queue: PartitionQueue): SealedBatch {
  const batch = queue.take();
  batch.attempts += 1;
  if (queue.identity !== undefined)
    batch.stamp ??= { identity: queue.identity, baseSequence: queue.nextSequence };
  return batch;
}

function retire(queue: PartitionQueue): void {
  queue.retiredIdentity = queue.identity;
  queue.identity = undefined;
}
