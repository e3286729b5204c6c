import type { Ledger } from "../ledger.ts";
import type { Lab } from "./lab.ts";
import { publishNumbered } from "./numbered.ts";

/** Publishes one message of every key, again and again. */
export interface SteadyPublisher {
  /** Stop after the running call and say how many messages each key has. Rejects when a publish failed. */
  stop(): Promise<number>;
}

const PAUSE_MS = 30;

/** Publish until stopped, so that a test always has something to handle. */
export function startPublishing(
  lab: Lab,
  options: { readonly topic: string; readonly keys: number; readonly ledgers: readonly Ledger[] },
): SteadyPublisher {
  let stopped = false;
  const publishing = (async (): Promise<number> => {
    const { transport } = await lab.publisher();
    let from = 0;
    while (!stopped) {
      await publishNumbered(
        transport,
        { topic: options.topic, keys: options.keys, perKey: 1, from },
        options.ledgers,
      );
      from++;
      await lab.quiet(PAUSE_MS);
    }
    return from;
  })();
  // Told by `stop`; a test that fails earlier has something better to say.
  publishing.catch(() => undefined);
  return {
    stop: () => {
      stopped = true;
      return lab.within(publishing, "the steady publisher to stop");
    },
  };
}
