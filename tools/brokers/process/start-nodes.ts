import { NodeProxies } from "../network/node-proxies.ts";
import type { NetworkFaults } from "../network/node-proxies.ts";
import { removeFolder, startInFolder } from "./cluster-folder.ts";
import { NodeProcesses } from "./node-processes.ts";
import type { NodeRecipe, ProcessFaults } from "./node-processes.ts";

const STOP_TIMEOUT_MS = 20_000;

/** The part of a running cluster that is the same for every kind of broker. */
export interface RunningNodes
  extends ProcessFaults, NetworkFaults, Pick<NodeProcesses, "logs" | "pid">, AsyncDisposable {
  /** From starting the programs until all were ready, in milliseconds. */
  readonly readyMs: number;
  /** End everything and remove the folder; idempotent. */
  close(): Promise<void>;
}

/** What a kind of broker decides before its programs start. */
export interface NodesPlan<Plan> {
  /** Kept for the caller. */
  readonly plan: Plan;
  /** How each node is started. */
  readonly recipes: readonly NodeRecipe[];
}

/**
 * Prepare and start the nodes of one cluster in a new temporary folder, again with new ports when one was taken in between.
 *
 * @param options - `prepare` chooses ports, writes every file into the folder, and adds a proxy per client listener when it wants them.
 * @throws BrokersError `START_FAILED`, after everything that was started has ended.
 */
export async function startNodes<Plan>(options: {
  readonly kind: string;
  readonly readyTimeoutMs: number;
  prepare(folder: string, proxies: NodeProxies): Promise<NodesPlan<Plan>>;
}): Promise<{ readonly plan: Plan; readonly running: RunningNodes }> {
  return await startInFolder(options.kind, async (folder) => {
    await using starting = new AsyncDisposableStack();
    const proxies = starting.use(new NodeProxies());
    const { plan, recipes } = await options.prepare(folder, proxies);
    const processes = new NodeProcesses(recipes, {
      readyTimeoutMs: options.readyTimeoutMs,
      stopTimeoutMs: STOP_TIMEOUT_MS,
    });
    starting.defer(async () => await processes.close());
    const startedAt = performance.now();
    await processes.startAll();
    const readyMs = Math.round(performance.now() - startedAt);
    const resources = starting.move();
    const close = async (): Promise<void> => {
      await resources.disposeAsync();
      await removeFolder(folder);
    };
    const faults = {
      ...processes.faults(),
      partitionNetwork: proxies.partitionNetwork.bind(proxies),
    };
    return { plan, running: { readyMs, ...faults, close, [Symbol.asyncDispose]: close } };
  });
}
