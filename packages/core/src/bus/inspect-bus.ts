import type { HandlerRun } from "../consume/running-handlers.ts";
import type { Delivery } from "../contracts/delivery.ts";
import type { BusStatus } from "../contracts/observer.ts";
import type { PartitionState } from "../contracts/transport.ts";
import type { FailingDelivery } from "../observe/bus-reporter.ts";
import type { BusInspection, FailingMessage, HeadOfLine } from "./bus-inspection.ts";
import type { BusRuntimeParts } from "./bus-runtime.ts";

/** Failing deliveries shown at most. */
const MAX_FAILING = 100;
const MAX_KEY_CHARACTERS = 100;

/** What is going on inside a bus now. */
export function inspectBus(
  { core, subscriptions, plugins, watch }: BusRuntimeParts,
  status: BusStatus,
): BusInspection {
  const failing = core.reporter.failingDeliveries;
  const partitions = watch.partitions();
  const heads = new HeadFinder(subscriptions.runs, failing);
  return {
    status,
    groups: subscriptions.consumers.map(({ group, routes, heldTopics }) => ({
      group,
      topics: routes.map(({ spec }) => spec.topic),
      heldTopics,
      partitions: partitions
        .filter((each) => each.group === group)
        .map(({ state, stalledMs }) => ({ ...state, stalledMs, head: heads.find(group, state) })),
    })),
    failing: failing.slice(0, MAX_FAILING).map(failingMessage),
    plugins: Object.fromEntries(
      plugins.flatMap(({ name, instance }) => {
        const told = instance.inspect?.();
        return told === undefined ? [] : [[name, told] as const];
      }),
    ),
  };
}

/** Finds what the message at the head of a partition is doing. */
class HeadFinder {
  readonly #failing: ReadonlyMap<string, FailingDelivery>;
  readonly #runs: ReadonlyMap<string, HandlerRun>;

  constructor(runs: readonly HandlerRun[], failing: readonly FailingDelivery[]) {
    this.#failing = new Map(
      failing.map((each) => [idOf(each.subscription.group, each.delivery), each]),
    );
    this.#runs = new Map(runs.map((run) => [idOf(run.group, run.delivery), run]));
  }

  find(
    group: string,
    { topic, partition, oldestUnsettled }: PartitionState,
  ): HeadOfLine | undefined {
    if (oldestUnsettled === undefined) return undefined;
    const { offset, deliveredAtMs: sinceMs } = oldestUnsettled;
    const id = idOf(group, { topic, partition, offset });
    const run = this.#runs.get(id);
    const failing = this.#failing.get(id);
    const delivery = run?.delivery ?? failing?.delivery;
    return {
      offset,
      key: delivery === undefined ? undefined : keyOf(delivery),
      state: stateOf(run, failing),
      attempt: run?.attempt ?? failing?.attempt ?? 1,
      sinceMs,
      lastError: failing === undefined ? undefined : nameOf(failing.lastError),
    };
  }
}

function stateOf(
  run: HandlerRun | undefined,
  failing: FailingDelivery | undefined,
): HeadOfLine["state"] {
  if (run !== undefined) return "running";
  return failing === undefined ? "waiting" : "failing";
}

function failingMessage(failing: FailingDelivery): FailingMessage {
  const { delivery, subscription, attempt, failures, sinceMs, errorClass, lastError } = failing;
  return {
    topic: subscription.topic,
    group: subscription.group,
    partition: delivery.partition,
    offset: delivery.offset,
    attempt,
    failures,
    sinceMs,
    errorClass,
    lastError: nameOf(lastError),
  };
}

function idOf(
  group: string,
  { topic, partition, offset }: Pick<Delivery, "topic" | "partition" | "offset">,
): string {
  return JSON.stringify([group, topic, partition, offset.toString()]);
}

function keyOf({ key }: Delivery): string | null {
  return key === null ? null : new TextDecoder().decode(key).slice(0, MAX_KEY_CHARACTERS);
}

/** The error's class and code: its message may hold contents of the message. */
function nameOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  return "code" in error && typeof error.code === "string"
    ? `${error.name} ${error.code}`
    : error.name;
}
