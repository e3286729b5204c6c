import type { BusError } from "@bus/core";
import { encodeHeaderBlock, encodeQuestion, messageIdOf } from "./header-block.ts";
import type { PendingMessage } from "./pending-message.ts";
import { refusalOf, rejectedError, saysNotStored, tooLargeError } from "./publish-errors.ts";
import type { PublishAnswers, PublishPort } from "./publish-port.ts";
import { plainSequence, readAnswer } from "./stored-answer.ts";
import { TransmissionWindow } from "./transmission-window.ts";

/** Most bytes whose acknowledgement is due: what the client and the server's socket may hold. */
const WINDOW_BYTES = 33_554_432;
const NO_PAYLOAD = new Uint8Array(0);

/** What a transmitter needs. */
export interface TransmitterParts {
  readonly port: PublishPort;
  /** Most messages whose answer is due. */
  readonly window: number;
  readonly idPrefix: string;
  /** Milliseconds that never go backwards. */
  readonly nowMs: () => number;
  /** A message is stored, at this sequence; its lane is told after this. */
  readonly stored: (message: PendingMessage, sequence: number) => void;
  /** A message will not be stored; its lane is told after this. */
  readonly failed: (message: PendingMessage, error: BusError) => void;
  /** An answer has come: there is room, and the message's lane may have something to send. */
  readonly moved: (message: PendingMessage) => void;
}

/** Sends messages and questions about messages, and tells lanes what the answers mean. */
export class Transmitter implements PublishAnswers {
  /** Messages that the stream had already when they were acknowledged. */
  duplicates = 0;
  readonly #parts: TransmitterParts;
  readonly #window: TransmissionWindow;

  constructor(parts: TransmitterParts) {
    this.#parts = parts;
    this.#window = new TransmissionWindow(parts.window);
    parts.port.listen(this);
  }

  /** Transmissions whose answer is due. */
  get outMessages(): number {
    return this.#window.count;
  }

  get hasRoom(): boolean {
    return !this.#window.isFull && this.#window.bytes < WINDOW_BYTES;
  }

  /** Send a message, or the question whether it is stored, as its state says. There must be room. */
  transmit(message: PendingMessage, nowMs: number): void {
    if (message.state === "sent" && !this.#encode(message)) return this.#tooLarge(message, nowMs);
    message.sentAtMs = nowMs;
    this.#window.enter(message);
    try {
      this.#parts.port.send(message.state === "sent" ? message : this.#question(message));
    } catch {
      // The connection takes nothing: what was not sent is not stored. Losing the connection is told by itself.
      this.giveUp(message, nowMs, message.state === "sent" ? "refused" : "unanswered");
    }
  }

  /** No answer counts any more for a message that is out. */
  giveUp(message: PendingMessage, nowMs: number, because: "refused" | "unanswered"): void {
    this.#window.leave(message);
    message.lane[because](message, nowMs);
  }

  /** Forget a message that has its outcome. */
  forget(message: PendingMessage): void {
    this.#window.leave(message);
  }

  answered(ticket: number, answer: Uint8Array): void {
    const message = this.#window.at(ticket);
    if (message === undefined) return;
    const sequence = plainSequence(answer);
    if (sequence >= 0) this.#stored(message, sequence);
    else this.#read(message, answer);
    this.#parts.moved(message);
  }

  noResponders(ticket: number): void {
    const message = this.#window.at(ticket);
    if (message === undefined) return;
    this.giveUp(message, this.#parts.nowMs(), message.state === "sent" ? "refused" : "unanswered");
    this.#parts.moved(message);
  }

  #encode(message: PendingMessage): boolean {
    if (message.headerBlock.length === 0) {
      const { message: outgoing } = message;
      message.headerBlock = encodeHeaderBlock(outgoing, this.#idOf(message));
      message.payload = outgoing.value ?? NO_PAYLOAD;
    }
    return message.headerBlock.length + message.payload.length <= this.#parts.port.maxPayloadBytes;
  }

  #question(message: PendingMessage): Parameters<PublishPort["send"]>[0] {
    const { subject, ticket } = message;
    const headerBlock = encodeQuestion(messageIdOf(message.message, this.#idOf(message)));
    return { subject, ticket, headerBlock, payload: NO_PAYLOAD };
  }

  #idOf({ order }: PendingMessage): string {
    return `${this.#parts.idPrefix}${order.toString(36)}`;
  }

  #tooLarge(message: PendingMessage, nowMs: number): void {
    const { headerBlock, payload } = message;
    const { maxPayloadBytes } = this.#parts.port;
    const error = tooLargeError(
      message.message,
      headerBlock.length + payload.length,
      maxPayloadBytes,
    );
    this.#parts.failed(message, error);
    message.lane.rejected(message, nowMs);
  }

  #stored(message: PendingMessage, sequence: number): void {
    this.#window.leave(message);
    this.#parts.stored(message, sequence);
    message.lane.stored(message, this.#parts.nowMs());
  }

  #read(message: PendingMessage, bytes: Uint8Array): void {
    const nowMs = this.#parts.nowMs();
    const answer = readAnswerOrNone(bytes);
    if (answer?.kind === "stored") {
      if (answer.isDuplicate) this.duplicates += 1;
      this.#stored(message, answer.sequence);
      return;
    }
    if (answer === undefined) return this.giveUp(message, nowMs, "unanswered");
    const { errorCode, description } = answer;
    if (message.state === "asked")
      return this.giveUp(message, nowMs, saysNotStored(errorCode) ? "refused" : "unanswered");
    const refusal = refusalOf(errorCode);
    if (refusal !== "final")
      return this.giveUp(message, nowMs, refusal === "passing" ? "refused" : "unanswered");
    this.#window.leave(message);
    this.#parts.failed(message, rejectedError(message.message, errorCode, description));
    message.lane.rejected(message, nowMs);
  }
}

function readAnswerOrNone(bytes: Uint8Array): ReturnType<typeof readAnswer> | undefined {
  try {
    return readAnswer(bytes);
  } catch {
    // Not an answer of a stream: somebody else listens to the subject. What the stream did is open.
    return undefined;
  }
}
