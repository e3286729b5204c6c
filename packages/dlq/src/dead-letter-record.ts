import type { IncomingMessage } from "@bus/core";
import { DLQ_HEADERS, deathsOf, headerText } from "./dead-letter-headers.ts";

/** Where a dead letter stands: nobody has dealt with it, or what was done with it. */
export type DeadLetterState = "open" | "replayed" | "discarded";

/** Where a message stood. */
export interface MessagePlace {
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
}

/** What its headers tell of a dead letter. */
export interface DeadLetterSummary {
  readonly id: string;
  /** How often the message has died, this death included. */
  readonly deaths: number;
  /** Where the dead letter is. */
  readonly place: MessagePlace;
  /** Where the message was when it failed. */
  readonly original: MessagePlace;
  /** The group whose handler failed. */
  readonly group: string;
  readonly errorClass: string;
  readonly errorName: string;
  readonly errorCode: string;
  readonly errorMessage: string;
  /** Equal for failures of one cause. */
  readonly fingerprint: string;
  readonly attempts: number;
  /** Milliseconds since the Unix epoch. */
  readonly firstFailedAtMs: number;
  readonly lastFailedAtMs: number;
  /** Size of the value; `null` for a tombstone. */
  readonly valueBytes: number | null;
}

/** Read a dead letter's headers; `undefined` for a message that is none. */
export function summarise(message: IncomingMessage): DeadLetterSummary | undefined {
  const text = (name: string): string => headerText(message.headers, name) ?? "";
  const id = text(DLQ_HEADERS.ID);
  const topic = text(DLQ_HEADERS.ORIGINAL_TOPIC);
  if (id === "" || topic === "") return undefined;
  return {
    id,
    deaths: deathsOf(message.headers),
    place: {
      topic: message.topic,
      partition: message.partition,
      offset: message.offset.toString(),
    },
    original: {
      topic,
      partition: Number(text(DLQ_HEADERS.ORIGINAL_PARTITION)),
      offset: text(DLQ_HEADERS.ORIGINAL_OFFSET),
    },
    group: text(DLQ_HEADERS.GROUP),
    errorClass: text(DLQ_HEADERS.ERROR_CLASS),
    errorName: text(DLQ_HEADERS.ERROR_NAME),
    errorCode: text(DLQ_HEADERS.ERROR_CODE),
    errorMessage: text(DLQ_HEADERS.ERROR_MESSAGE),
    fingerprint: text(DLQ_HEADERS.ERROR_FINGERPRINT),
    attempts: Number(text(DLQ_HEADERS.ATTEMPTS)),
    firstFailedAtMs: Date.parse(text(DLQ_HEADERS.FIRST_FAILED_AT)),
    lastFailedAtMs: Date.parse(text(DLQ_HEADERS.LAST_FAILED_AT)),
    valueBytes: message.value?.length ?? null,
  };
}

/** What one death is called in the replay log: a message that dies again needs to be dealt with again. */
export function deathKey({ id, deaths }: Pick<DeadLetterSummary, "id" | "deaths">): string {
  return `${id}/${deaths}`;
}
