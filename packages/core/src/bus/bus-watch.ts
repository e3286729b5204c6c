import type { GroupPartition } from "./stall-watch.ts";
import { StallWatch } from "./stall-watch.ts";
import type { BusCore } from "./bus-core.ts";
import type { Subscriptions } from "./subscriptions.ts";

/** Looks at a bus every second while it runs: partitions that stand still, an event loop that is blocked. */
export class BusWatch {
  readonly #core: BusCore;
  readonly #subscriptions: Subscriptions;
  readonly #stalls = new StallWatch();
  #cancel: (() => void) | undefined;

  constructor(core: BusCore, subscriptions: Subscriptions) {
    this.#core = core;
    this.#subscriptions = subscriptions;
  }

  /** Every partition of this bus, and for how long each has stood still. */
  partitions(): readonly GroupPartition[] {
    return this.#stalls.look(this.#subscriptions.consumers, this.#core.clock.now());
  }

  start(): void {
    const { clock, loopGuard } = this.#core;
    const tick = (): void => {
      loopGuard.tick();
      this.partitions();
      this.#cancel = clock.schedule(tick, loopGuard.tickMs, { background: true });
    };
    tick();
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }
}
