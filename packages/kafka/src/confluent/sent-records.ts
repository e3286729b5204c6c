import type { BusError, Clock } from "@bus/core";
import type { OutgoingRecord } from "../kafka-driver.ts";

/** Settled records at the head of the list are cut off in pieces of at least this many. */
const CUT_AFTER = 1_024;

/** A record on its way: what the client is given as the opaque of a delivery report. */
export class SentRecord {
  readonly record: OutgoingRecord;
  /** Whether the client has it; before, its outcome is known. */
  isHandedOver = false;
  isSettled = false;

  constructor(record: OutgoingRecord) {
    this.record = record;
  }
}

/** What a list of sent records needs. */
export interface SentRecordsParts {
  readonly clock: Clock;
  /** The error for a record whose deadline has passed. */
  overdue(sent: SentRecord): BusError;
}

/**
 * Records that were taken and not settled yet, in the order of `add`. Those whose deadline passes are settled by one
 * timer for all, which runs on when the list has become empty and then ends by itself.
 */
export class SentRecords {
  readonly #parts: SentRecordsParts;
  #records: SentRecord[] = [];
  #head = 0;
  #cut = 0;
  #cancelTimer: (() => void) | undefined;
  #waiters: { readonly until: number; resolve(): void }[] = [];

  constructor(parts: SentRecordsParts) {
    this.#parts = parts;
  }

  /** Whether every record is settled. */
  get isEmpty(): boolean {
    return this.#head === this.#records.length;
  }

  add(record: OutgoingRecord): SentRecord {
    const sent = new SentRecord(record);
    this.#records.push(sent);
    if (this.#cancelTimer === undefined) this.#schedule(record.deadlineAtMs);
    return sent;
  }

  stored(sent: SentRecord, offset: number | undefined): void {
    if (sent.isSettled) return;
    sent.isSettled = true;
    sent.record.stored(offset);
    this.#advance();
  }

  failed(sent: SentRecord, error: BusError): void {
    if (sent.isSettled) return;
    sent.isSettled = true;
    sent.record.failed(error);
    this.#advance();
  }

  /** Resolves when every record added so far is settled. */
  settled(): Promise<void> {
    if (this.isEmpty) return Promise.resolve();
    const until = this.#cut + this.#records.length;
    return new Promise((resolve) => void this.#waiters.push({ until, resolve }));
  }

  /** Settle everything that is left, and stop the timer. */
  close(error: (sent: SentRecord) => BusError): void {
    for (const sent of this.#records.slice(this.#head)) this.failed(sent, error(sent));
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  /** The oldest record settles first nearly always, so this is one step. */
  #advance(): void {
    while (this.#records[this.#head]?.isSettled === true) this.#head += 1;
    const isCutDue = this.#head >= CUT_AFTER && this.#head * 2 >= this.#records.length;
    if (isCutDue || this.isEmpty) {
      this.#cut += this.#head;
      this.#records.splice(0, this.#head);
      this.#head = 0;
    }
    if (this.#waiters.length > 0) this.#tellWaiters();
  }

  #tellWaiters(): void {
    const reached = this.#cut + this.#head;
    const due = this.#waiters.filter(({ until }) => until <= reached);
    this.#waiters = this.#waiters.filter(({ until }) => until > reached);
    for (const waiter of due) waiter.resolve();
  }

  #schedule(deadlineAtMs: number): void {
    const { clock } = this.#parts;
    const delayMs = Math.max(0, deadlineAtMs - clock.monotonicMs());
    this.#cancelTimer = clock.schedule(() => this.#expire(), delayMs);
  }

  #expire(): void {
    this.#cancelTimer = undefined;
    const nowMs = this.#parts.clock.monotonicMs();
    for (let sent = this.#oldest(); sent !== undefined; sent = this.#oldest()) {
      if (sent.record.deadlineAtMs > nowMs) {
        this.#schedule(sent.record.deadlineAtMs);
        return;
      }
      this.failed(sent, this.#parts.overdue(sent));
    }
  }

  #oldest(): SentRecord | undefined {
    return this.#records[this.#head];
  }
}
