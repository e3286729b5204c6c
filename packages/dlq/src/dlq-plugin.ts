import { definePlugin } from "@bus/core";
import type { Failure, PluginDefinition, PluginHost } from "@bus/core";
import { createDeadLetterPolicy } from "./dead-letter.ts";
import { dlqOptions } from "./dlq-options.ts";
import type { DlqOptions, ResolvedDlqOptions } from "./dlq-options.ts";
import { createRetryPolicy } from "./retry-policy.ts";

/**
 * Bounded retries and dead letters: a failed message is classified, run again in place as often as its class allows,
 * then stored elsewhere with everything needed to look at it and play it back, and only then acknowledged.
 *
 * @throws BusConfigError `BUS_CONFIG` for unknown or wrong options.
 */
export const dlq: PluginDefinition<DlqOptions, object> = definePlugin({
  name: "dlq",
  options: dlqOptions,
  create: (options: ResolvedDlqOptions) => ({
    install(host: PluginHost) {
      host.onFailure("retry", createRetryPolicy(options, host.random));
      host.onFailure("deadLetter", withAlarm(createDeadLetterPolicy(host, options), host, options));
      return { api: {} };
    },
  }),
});

type Store = (failure: Failure, errorClass: string) => Promise<void>;

/** Tell the user of every failed attempt; a callback that throws is logged and changes nothing. */
function withAlarm(store: Store, { logger }: PluginHost, { onDeadLetterFailure }: ResolvedDlqOptions): Store {
  if (onDeadLetterFailure === undefined) return store;
  return async (failure, errorClass) => {
    try {
      await store(failure, errorClass);
    } catch (error) {
      guarded(() => onDeadLetterFailure(failure, error), (thrown) => logger.error("onDeadLetterFailure threw", { error: thrown }));
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
