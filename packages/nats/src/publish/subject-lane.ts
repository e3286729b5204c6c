import { backOffMs } from "@bus/core/adapter";
import type { BackOffPolicy } from "@bus/core/adapter";
import type { PendingMessage } from "./pending-message.ts";
import { WaitingMessages } from "./waiting-messages.ts";

/**
 * What a lane does.
 *
 * - `open`: messages go out one behind the other.
 * - `settling`: one was refused or got no answer; none goes out until all that are out have an answer or none will come.
 * - `backingOff`: all is quiet, and the next try is later.
 * - `asking`: of messages that may be stored, the stream is asked whether they are.
 * - `trying`: the first that is not stored goes out alone.
 * - `resending`: the others follow it.
 */
export type LaneMode = "open" | "settling" | "backingOff" | "asking" | "trying" | "resending";

const PATIENCE: BackOffPolicy = Object.freeze({ baseMs: 100, maxMs: 500, jitter: 0.2 });

/** What a lane needs. */
export interface LaneParts {
  readonly subject: string;
  /** The partition that the subject stands for. */
  readonly partition: number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** A message is not stored and must not be any more: a later one of its key is. */
  readonly overtaken: (message: PendingMessage) => void;
}

/**
 * The messages of one subject, in the order of calls, and what is known of each.
 *
 * Messages go out without waiting for answers, and a key keeps its order nevertheless. A stream stores what it is sent in
 * order, unless a message is lost on its way or refused while no leader is there; then a later one may get through. So after
 * the first failure nothing goes out until it is known of every message whether it is stored (of those without an answer
 * the stream is asked, which stores nothing). Only then are messages that are not stored sent again, in order, and never one whose
 * key has a later message stored: that one fails instead.
 */
export class SubjectLane {
  readonly subject: string;
  readonly partition: number;
  /** Whether the pipeline has the lane on its list of lanes that have something to send. */
  isListed = false;
  readonly #parts: LaneParts;
  readonly #waiting = new WaitingMessages();
  /** Sent and not ended, in order. */
  #first: PendingMessage | undefined;
  #last: PendingMessage | undefined;
  #mode: LaneMode = "open";
  /** The next message to ask about or to send again. */
  #cursor: PendingMessage | undefined;
  /** Messages whose answer is due. */
  #out = 0;
  #failures = 0;
  #wakeAtMs = 0;

  constructor(parts: LaneParts) {
    this.subject = parts.subject;
    this.partition = parts.partition;
    this.#parts = parts;
  }

  get mode(): LaneMode {
    return this.#mode;
  }

  /** Whether nothing waits and nothing is unfinished. */
  get isIdle(): boolean {
    return this.#first === undefined && this.#waiting.first === undefined;
  }

  /** The oldest message without an outcome. */
  get oldest(): PendingMessage | undefined {
    return this.#first ?? this.#waiting.first;
  }

  accept(message: PendingMessage): void {
    this.#waiting.push(message);
  }

  /** Whether `take` would return a message. */
  get hasNext(): boolean {
    switch (this.#mode) {
      case "open":
        return this.#waiting.first !== undefined;
      case "trying":
        return this.#out === 0 && this.#first !== undefined;
      case "asking":
        return this.#seek("unknown") !== undefined;
      case "resending":
        return this.#seek("refused") !== undefined;
      case "settling":
      case "backingOff":
        return false;
    }
  }

  /** The next message to transmit: its state says whether it is `sent` or `asked` about. */
  take(): PendingMessage | undefined {
    switch (this.#mode) {
      case "open":
        return this.#takeWaiting();
      case "trying":
        return this.#out === 0 ? this.#goesOut(this.#first, "sent") : undefined;
      case "asking":
        return this.#goesOut(this.#seek("unknown"), "asked");
      case "resending":
        return this.#resend();
      case "settling":
      case "backingOff":
        return undefined;
    }
  }

  /** The stream has the message. */
  stored(message: PendingMessage, nowMs: number): void {
    for (let one = this.#first; one !== undefined && one !== message; one = one.next)
      if (one.sharesKeyWith(message)) one.isOvertaken = true;
    if (message.state === "sent") this.#failures = 0;
    this.rejected(message, nowMs);
  }

  /** The stream has answered that it does not take the message; what comes behind it may go. */
  rejected(message: PendingMessage, nowMs: number): void {
    const wasTrial = this.#mode === "trying";
    this.ended(message, nowMs);
    if (!wasTrial || this.#mode !== "trying") return;
    this.#mode = "resending";
    this.#cursor = this.#first;
    this.#advance(nowMs);
  }

  /** The message is not stored, and will not be by what was sent so far. */
  refused(message: PendingMessage, nowMs: number): void {
    const wasQuestion = message.state === "asked";
    this.#back(message, "refused");
    if (!wasQuestion) this.#settle();
    this.#advance(nowMs);
  }

  /** There is no answer, and none will come: the message may be stored. */
  unanswered(message: PendingMessage, nowMs: number): void {
    const wasQuestion = message.state === "asked";
    this.#back(message, "unknown");
    if (!wasQuestion) this.#settle();
    this.#advance(nowMs);
  }

  /** The message has its outcome. */
  ended(message: PendingMessage, nowMs: number): void {
    if (message.state === "waiting") {
      // Only the first one that waits ends while it waits: deadlines are in order.
      this.#waiting.shift();
      message.state = "ended";
      return;
    }
    if (this.#cursor === message) this.#cursor = message.next;
    this.#back(message, "ended");
    this.#unlink(message);
    this.#advance(nowMs);
  }

  /** Messages whose answer is due, in order. */
  out(): readonly PendingMessage[] {
    const out: PendingMessage[] = [];
    for (let one = this.#first; one !== undefined; one = one.next) if (one.isOut) out.push(one);
    return out;
  }

  /** Time has passed: a back-off may be over. */
  tick(nowMs: number): void {
    if (this.#mode !== "backingOff" || nowMs < this.#wakeAtMs) return;
    this.#cursor = this.#first;
    this.#mode = this.#has("unknown") ? "asking" : "trying";
  }

  /** What held the lane up may be over: do not wait any longer. */
  wake(nowMs: number): void {
    this.#wakeAtMs = nowMs;
    this.tick(nowMs);
  }

  #takeWaiting(): PendingMessage | undefined {
    const message = this.#waiting.shift();
    if (message === undefined) return undefined;
    message.previous = this.#last;
    if (this.#last === undefined) this.#first = message;
    else this.#last.next = message;
    this.#last = message;
    return this.#goesOut(message, "sent");
  }

  #resend(): PendingMessage | undefined {
    const message = this.#goesOut(this.#seek("refused"), "sent");
    if (this.#seek("refused") === undefined) this.#mode = "open";
    return message;
  }

  #goesOut(
    message: PendingMessage | undefined,
    state: "sent" | "asked",
  ): PendingMessage | undefined {
    if (message === undefined) return undefined;
    this.#cursor = message.next;
    message.state = state;
    this.#out += 1;
    return message;
  }

  #back(message: PendingMessage, state: "refused" | "unknown" | "ended"): void {
    if (message.isOut) this.#out -= 1;
    message.state = state;
  }

  #settle(): void {
    this.#mode = "settling";
    this.#cursor = undefined;
  }

  #advance(nowMs: number): void {
    if (this.#mode === "open") return;
    if (this.#mode === "resending" && this.#seek("refused") === undefined) {
      this.#mode = "open";
      return;
    }
    if (this.#out > 0 || this.#mode === "resending") return;
    if (this.#mode === "asking" && this.#seek("unknown") !== undefined) return;
    this.#dropOvertaken();
    if (this.#first === undefined) {
      this.#mode = "open";
      this.#failures = 0;
    } else if (this.#mode === "settling" || (this.#mode === "asking" && this.#has("unknown"))) {
      this.#failures += 1;
      this.#mode = "backingOff";
      this.#wakeAtMs = nowMs + backOffMs(this.#failures, PATIENCE, this.#parts.random);
    } else if (this.#mode === "asking") this.#mode = "trying";
  }

  /** From the cursor on, the next message in a state; the cursor stays there. */
  #seek(state: "refused" | "unknown"): PendingMessage | undefined {
    while (this.#cursor !== undefined && this.#cursor.state !== state)
      this.#cursor = this.#cursor.next;
    return this.#cursor;
  }

  #has(state: "unknown"): boolean {
    for (let one = this.#first; one !== undefined; one = one.next)
      if (one.state === state) return true;
    return false;
  }

  #dropOvertaken(): void {
    let one = this.#first;
    while (one !== undefined) {
      const { next }: PendingMessage = one;
      if (one.state === "refused" && one.isOvertaken) {
        this.#unlink(one);
        one.state = "ended";
        this.#parts.overtaken(one);
      }
      one = next;
    }
  }

  #unlink(message: PendingMessage): void {
    const { previous, next } = message;
    if (previous === undefined) this.#first = next;
    else previous.next = next;
    if (next === undefined) this.#last = previous;
    else next.previous = previous;
    // An old message that is not collected yet would keep every later one of its lane from being collected.
    message.previous = undefined;
    message.next = undefined;
  }
}
