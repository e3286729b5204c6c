import { BusTransportError } from "@bus/core";
import type { Clock, DeadLetterPolicy, Delivery } from "@bus/core";
import { wait } from "@bus/core/adapter";

/** How long a dead letter may be on its way before that counts as a failure, in milliseconds. */
const ALARM_AFTER_MS = 15_000;

/**
 * Turn a store that hangs into one that fails in time, so that alarms are raised. What is on its way stays on its way:
 * the next call for the same delivery waits for it and stores nothing twice.
 */
export function withDeadline(store: DeadLetterPolicy, clock: Clock): DeadLetterPolicy {
  const pending = new WeakMap<Delivery, Promise<void>>();
  return async (failure, errorClass) => {
    const { delivery } = failure;
    const storing = pending.get(delivery) ?? store(failure, errorClass);
    pending.set(delivery, storing);
    const ended = new AbortController();
    const late = wait(clock, ALARM_AFTER_MS, ended.signal);
    const settled = (): void => {
      pending.delete(delivery);
      ended.abort();
    };
    storing.then(settled, settled);
    if (await late) throw tooLate(delivery.topic);
    return storing;
  };
}

function tooLate(topic: string): BusTransportError {
  const message = `a dead letter of ${topic} was not stored within ${ALARM_AFTER_MS} ms; it is still on its way`;
  return new BusTransportError("BUS_DEAD_LETTER", message, { details: { topic } });
}
