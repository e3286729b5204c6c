import { createRequire } from "node:module";
import { KNOWN_KAFKAJS_VERSION } from "./kafkajs-internals.ts";

/** What kafkajs 2.2.4's request queue has that is needed here. */
interface RequestQueue {
  readonly throttledUntil: number;
  readonly pending: readonly unknown[];
  scheduleCheckPendingRequests(): void;
}

/** Marks the function that this module put in place. */
const OURS = Symbol("quiet request queue");

/**
 * Stop the timer that kafkajs 2.2.4 runs every millisecond on every connection after its first answer, for as long as
 * the connection lives: about 15 ms of CPU per second and broker, and a warning of Node 24 about a negative time-out.
 *
 * A queue with nothing to wait for needs no timer. Done once per process, for the one known version only.
 */
export function quietRequestQueues(): void {
  const require = createRequire(import.meta.url);
  // What kafkajs 2.2.4 ships; the shapes are declared above and proven by this package's tests.
  const { version } = require("kafkajs/package.json") as { readonly version: string };
  if (version !== KNOWN_KAFKAJS_VERSION) return;
  const { prototype } = require("kafkajs/src/network/requestQueue") as {
    readonly prototype: RequestQueue;
  };
  const original = Object.getOwnPropertyDescriptor(prototype, "scheduleCheckPendingRequests")
    ?.value as RequestQueue["scheduleCheckPendingRequests"] | undefined;
  if (original === undefined || Object.hasOwn(original, OURS)) return;
  const quiet = function (this: RequestQueue): void {
    // kafkajs reads the same clock for `throttledUntil`.
    if (this.pending.length > 0 || this.throttledUntil > new Date().getTime()) original.call(this);
  };
  Object.assign(prototype, {
    scheduleCheckPendingRequests: Object.assign(quiet, { [OURS]: true }),
  });
}
