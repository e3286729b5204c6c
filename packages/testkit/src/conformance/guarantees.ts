import { abortIsNotFailure } from "./abort-is-not-failure.ts";
import { acceptedPublishArrives } from "./accepted-publish-arrives.ts";
import { backPressure } from "./back-pressure.ts";
import { close } from "./close.ts";
import { concurrency } from "./concurrency.ts";
import { contiguousCommit } from "./contiguous-commit.ts";
import { crash } from "./crash.ts";
import { drainDeadline } from "./drain-deadline.ts";
import { groupIsolation } from "./group-isolation.ts";
import type { Guarantee } from "./guarantee.ts";
import { hold } from "./hold.ts";
import { truthfulLag } from "./lag.ts";
import { leavesNothing } from "./leaves-nothing.ts";
import { partitionOrder } from "./partition-order.ts";
import { publishAndReceive } from "./publish-and-receive.ts";
import { rebalance } from "./rebalance.ts";
import { redelivery } from "./redelivery.ts";
import { startPositions } from "./start-positions.ts";
import { subscribeAfterStart } from "./subscribe-after-start.ts";

/** Every guarantee. The one that looks at the whole process comes first, before crashed processes linger in it. */
export const GUARANTEES: readonly Guarantee[] = [
  leavesNothing,
  publishAndReceive,
  acceptedPublishArrives,
  groupIsolation,
  partitionOrder,
  concurrency,
  backPressure,
  redelivery,
  crash,
  contiguousCommit,
  rebalance,
  subscribeAfterStart,
  hold,
  close,
  drainDeadline,
  truthfulLag,
  startPositions,
  abortIsNotFailure,
];
