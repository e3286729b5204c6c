import { strict as assert } from "node:assert";
import { systemClock, wait } from "@bus/core/adapter";
import { createLedger } from "../ledger.ts";
import type { Behaviour } from "./behaviour.ts";
import { closeBooks } from "./books.ts";
import { Consumer, consumeThrough } from "./consumer.ts";
import type { ConsumerOptions } from "./consumer.ts";
import type { Guarantee } from "./guarantee.ts";
import type { Lab } from "./lab.ts";
import { publishNumbered } from "./numbered.ts";

const BEHAVIOURS: readonly Behaviour[] = ["slow", "failing", "aborted"];
const CONCURRENCY = 8;
const PARTITIONS = 3;

/** As many handlers run as were asked for, and never more. */
export const concurrency: Guarantee = {
  name: "concurrency bound",
  tests: [
    ...BEHAVIOURS.map((behaviour) => ({
      name: `unordered ${behaviour} handlers reach their bound and never exceed it`,
      run: async (lab: Lab): Promise<void> => {
        const subscribe = { ordering: "none", concurrency: CONCURRENCY } as const;
        await reachesBound(lab, { behaviour, subscribe }, CONCURRENCY);
      },
    })),
    {
      name: "handlers in partition order run one for each partition, at the same time",
      needs: ["partitionOrder"],
      run: (lab) =>
        reachesBound(
          lab,
          { behaviour: "prompt", subscribe: { ordering: "partition" } },
          PARTITIONS,
        ),
    },
  ],
};

type Tried = Pick<ConsumerOptions, "behaviour" | "subscribe">;

async function reachesBound(lab: Lab, tried: Tried, bound: number): Promise<void> {
  const topic = await lab.topic(PARTITIONS);
  const group = lab.group();
  const ledger = createLedger();
  const { transport } = await lab.publisher();
  await publishNumbered(transport, { topic, keys: 30, perKey: 5 }, [ledger]);
  let running = 0;
  let peak = 0;
  const handle = async (): Promise<void> => {
    running++;
    peak = Math.max(peak, running);
    assert.ok(running <= bound, `${running} handlers run at once, the bound is ${bound}`);
    // Long enough for every free slot to be taken, whatever the others do.
    await wait(systemClock, 5);
    running--;
  };
  if (tried.behaviour === "aborted")
    await reachesBoundBeforeAbort(lab, { ...tried, group, topics: [topic] }, bound);
  await consumeThrough(lab, { ...tried, group, topics: [topic], ledger, handle });
  await closeBooks(lab, ledger, { group, topics: [topic], order: "free" });
  assert.equal(
    peak,
    bound,
    `at most ${peak} handlers ran at once, although ${bound} were allowed and needed`,
  );
}

/** Handlers that never end: the bound is filled and stays. */
async function reachesBoundBeforeAbort(
  lab: Lab,
  options: ConsumerOptions,
  bound: number,
): Promise<void> {
  const stuck = new Consumer(lab, options);
  await stuck.start();
  await lab.until(() => stuck.running >= bound, `${bound} handlers to run`, {
    state: () => stuck.running,
  });
  await lab.quiet();
  assert.equal(
    stuck.peakRunning,
    bound,
    `${stuck.peakRunning} handlers ran at once, the bound is ${bound}`,
  );
  await lab.within(stuck.bus.close({ drainTimeoutMs: 0 }), "a bus with running handlers to close");
}
