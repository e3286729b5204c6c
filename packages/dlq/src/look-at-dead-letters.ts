import type { IncomingMessage } from "@bus/core";
import type { DeskCall } from "./dead-letter-desk.ts";
import { createFilter } from "./dead-letter-filter.ts";
import { DLQ_HEADERS, headerText, originalHeaders } from "./dead-letter-headers.ts";
import { deathKey, summarise } from "./dead-letter-record.ts";
import type { DeadLetterState, DeadLetterSummary } from "./dead-letter-record.ts";
import type { ResolvedList } from "./dead-letter-requests.ts";
import type { InspectedDeadLetter, ListedDeadLetter } from "./dead-letters.ts";
import { ReplayLog } from "./replay-log.ts";
import type { LetterEntry } from "./replay-log-state.ts";
import { topicExists } from "./topic-reader.ts";
import type { TopicReader } from "./topic-reader.ts";

/** Dead letters that a request is about, oldest failure first. */
export async function listDeadLetters(
  call: DeskCall,
  { limit, state, ...filter }: ResolvedList,
): Promise<readonly ListedDeadLetter[]> {
  const matches = createFilter(filter);
  const found = new Map<string, ListedDeadLetter>();
  await lookThrough(call, ({ summary, entry }) => {
    const now = stateOf(entry);
    if (matches(summary) && (state === "all" || state === now))
      found.set(deathKey(summary), { ...summary, state: now });
    return found.size < limit;
  });
  return [...found.values()].toSorted((left, right) => left.lastFailedAtMs - right.lastFailedAtMs);
}

/** Every death of one message, first death first. */
export async function inspectDeadLetters(
  call: DeskCall,
  id: string,
): Promise<readonly InspectedDeadLetter[]> {
  const found = new Map<string, InspectedDeadLetter>();
  await lookThrough(call, ({ summary, entry, message }) => {
    if (summary.id === id) found.set(deathKey(summary), inspected(summary, entry, message));
    return true;
  });
  return [...found.values()].toSorted((left, right) => left.deaths - right.deaths);
}

interface LookedAt {
  readonly summary: DeadLetterSummary;
  readonly entry: LetterEntry | undefined;
  readonly message: IncomingMessage;
}

/** Show every dead letter of a topic; `look` returns `false` when it has seen enough. */
async function lookThrough(call: DeskCall, look: (letter: LookedAt) => boolean): Promise<void> {
  const { host, readers, deadLetterTopic: topic, signal } = call;
  if (!(await topicExists(host.transport, topic))) return;
  const log = new ReplayLog(call);
  await log.readOnce();
  let isEnough = false;
  let opened: TopicReader | undefined;
  const reader = await readers.open({
    topic,
    until: "end",
    signal,
    read: (message) => {
      const summary = isEnough ? undefined : summarise(message);
      if (summary === undefined) return;
      isEnough = !look({ summary, entry: log.letter(deathKey(summary)), message });
      if (isEnough) opened?.stop();
    },
  });
  opened = reader;
  try {
    if (isEnough) reader.stop();
    await reader.reached();
  } finally {
    await readers.close(reader);
  }
}

function inspected(
  summary: DeadLetterSummary,
  log: LetterEntry | undefined,
  { key, value, headers }: IncomingMessage,
): InspectedDeadLetter {
  return {
    ...summary,
    state: stateOf(log),
    key,
    value,
    headers: originalHeaders(headers),
    errorStack: headerText(headers, DLQ_HEADERS.ERROR_STACK) ?? "",
    errorIssues: headerText(headers, DLQ_HEADERS.ERROR_ISSUES) ?? "",
    log,
  };
}

function stateOf(entry: LetterEntry | undefined): DeadLetterState {
  return entry?.kind === "replayed" || entry?.kind === "discarded" ? entry.kind : "open";
}
