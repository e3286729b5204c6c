import type { Logger } from "../contracts/logger.ts";
import type { Observer } from "../contracts/observer.ts";

/** Hooks by name. */
type HookName = keyof Observer;
type HookArguments<Name extends HookName> = Parameters<NonNullable<Observer[Name]>>;

/** Passes what happens on to every observer that wants it; one that throws is logged and never felt by a message. */
export class ObserverHub {
  readonly #observers: Observer[] = [];
  readonly #logger: Logger;
  /** Whether anybody listens for what happens to every message: read by hot paths, so plain fields. */
  wantsReceived = false;
  wantsSettled = false;
  wantsPublished = false;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  add(observer: Observer): void {
    this.#observers.push(observer);
    if (observer.received !== undefined) this.wantsReceived = true;
    if (observer.settled !== undefined) this.wantsSettled = true;
    if (observer.published !== undefined) this.wantsPublished = true;
  }

  notify<Name extends HookName>(hook: Name, ...details: HookArguments<Name>): void {
    for (const observer of this.#observers) {
      try {
        // TypeScript cannot relate a hook's parameters to its name through a union of functions.
        const listener = observer[hook] as ((...details: HookArguments<Name>) => void) | undefined;
        listener?.apply(observer, details);
      } catch (error) {
        this.#logger.error("an observer threw", { hook, error });
      }
    }
  }
}
