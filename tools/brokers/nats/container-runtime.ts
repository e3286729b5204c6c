import { findImage, startInContainer } from "../process/container.ts";
import type { Lookup } from "../provider.ts";
import type { NatsVersion } from "./nats-cluster.ts";
import type { NatsRuntime } from "./nats-runtime.ts";

/** Run nats-server from its official image, on the host's network and with the same files as without a container. */
export async function containerRuntime(version: NatsVersion): Promise<Lookup<NatsRuntime>> {
  const lookup = await findImage(`nats:${version}`);
  if ("missing" in lookup) return lookup;
  const image = lookup.found;
  return {
    found: {
      provider: "container",
      version,
      launch: async ({ clusterFolder, configFile, logFile }) =>
        await startInContainer(
          { ...image, command: ["/nats-server", "-c", configFile], folder: clusterFolder },
          { logFile, removeOnOrphan: clusterFolder },
        ),
    },
  };
}
