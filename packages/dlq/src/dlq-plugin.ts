import { Poison, definePlugin } from "@bus/core";
import type { Failure, PluginDefinition, PluginHost } from "@bus/core";
import { createDeadLetterDesk } from "./dead-letter-desk.ts";
import { createDeadLetterPolicy } from "./dead-letter.ts";
import { DeadLetterTopics } from "./dead-letter-topics.ts";
import type { DeadLetters } from "./dead-letters.ts";
import { dlqOptions } from "./dlq-options.ts";
import type { DlqOptions, ResolvedDlqOptions } from "./dlq-options.ts";
import { createRetryPolicy } from "./retry-policy.ts";
import { withDeadline } from "./store-deadline.ts";

/** What `dlq()` adds to a bus. */
export interface DlqApi {
  readonly deadLetters: DeadLetters;
}

/**
 * Bounded retries and dead letters: a failed message is classified, run again in place as often as its class allows,
 * then stored elsewhere with everything needed to look at it and play it back, and only then acknowledged.
 *
 * @throws BusConfigError `BUS_CONFIG` for unknown or wrong options.
 */
export const dlq: PluginDefinition<DlqOptions, DlqApi> = definePlugin({
  name: "dlq",
  options: dlqOptions,
  create: (options: ResolvedDlqOptions) => ({
    install(host: PluginHost) {
      const topics = new DeadLetterTopics(host, options);
      const desk = createDeadLetterDesk(host, options);
      const store = withDeadline(createDeadLetterPolicy({ host, options, topics }), host.clock);
      host.onFailure("retry", createRetryPolicy(options, host.random));
      host.onFailure("deadLetter", withAlarm(store, host, options));
      if (options.onExhausted === "deadLetter") stopKillers(host, options);
      return {
        api: { deadLetters: desk.api },
        start: async () => {
          desk.start();
          await createMissingTopics(host, options, topics);
        },
        close: () => desk.close(),
      };
    },
  }),
});

/**
 * Dead-letter a message that was delivered again and again without ever reaching an end: it kills whoever handles it.
 * Retries in place cannot come so far, so only a transport that counts deliveries across processes makes this happen.
 */
function stopKillers(host: PluginHost, { maxDeliveries, retry }: ResolvedDlqOptions): void {
  const limit = Math.max(maxDeliveries, retry.attempts);
  host.wrapHandler((next) => (message, context) => {
    if (context.attempt <= limit) return next(message, context);
    throw new Poison(`delivered ${context.attempt} times without ever reaching an end`);
  });
}

/** Create what is missing before the first message fails; a topic that cannot be created is told, and tried again then. */
async function createMissingTopics(
  host: PluginHost,
  { destination, createTopics }: ResolvedDlqOptions,
  topics: DeadLetterTopics,
): Promise<void> {
  if (typeof destination === "function" || createTopics === "never") return;
  const sources = new Set(host.subscriptions().map(({ spec }) => spec.topic));
  const create = async (source: string): Promise<void> => {
    try {
      await topics.partitionsOf(`${source}${destination.suffix}`, source);
    } catch (error) {
      host.logger.error("a dead-letter topic is missing; failed messages will be held", { error });
    }
  };
  // What dead letters are read from needs no dead letters of its own before they fail.
  const first = [...sources].filter((source) => !source.endsWith(destination.suffix));
  await Promise.all(first.map(create));
}

type Store = (failure: Failure, errorClass: string) => Promise<void>;

/** Tell the user of every failed attempt; a callback that throws is logged and changes nothing. */
function withAlarm(
  store: Store,
  { logger }: PluginHost,
  { onDeadLetterFailure }: ResolvedDlqOptions,
): Store {
  if (onDeadLetterFailure === undefined) return store;
  return async (failure, errorClass) => {
    try {
      await store(failure, errorClass);
    } catch (error) {
      guarded(
        () => onDeadLetterFailure(failure, error),
        (thrown) => logger.error("onDeadLetterFailure threw", { error: thrown }),
      );
      throw error;
    }
  };
}

function guarded(action: () => void, onThrown: (error: unknown) => void): void {
  try {
    action();
  } catch (error) {
    onThrown(error);
  }
}
