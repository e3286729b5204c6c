import { logFile } from "../process/cluster-folder.ts";
import type { NodeRecipe } from "../process/node-processes.ts";
import { configFile } from "./cluster-plan.ts";
import { clusterView } from "./kafka-probe.ts";
import type { KafkaRuntime } from "./kafka-runtime.ts";
import type { KafkaNodePlan } from "./server-properties.ts";

/** Say how one broker of a prepared cluster is started, and when it is ready: it answers, and it has seen every other one. */
export function brokerRecipe(
  node: KafkaNodePlan,
  cluster: { readonly folder: string; readonly size: number },
  launch: KafkaRuntime["launch"],
): NodeRecipe {
  const files = {
    clusterFolder: cluster.folder,
    configFile: configFile(node),
    logFile: logFile(node.folder),
  };
  let seenWhole = false;
  return {
    id: node.id,
    logFile: files.logFile,
    launch: async () => await launch(files),
    isReady: async () => {
      const view = await clusterView(`127.0.0.1:${node.ports.INTERNAL}`);
      if (view === undefined || !view.brokerIds.includes(node.id)) return false;
      // At the first start every node has to see all of them; later another one may be down on purpose.
      seenWhole ||= view.brokerIds.length === cluster.size;
      return seenWhole;
    },
  };
}
