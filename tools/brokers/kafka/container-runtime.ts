import { join } from "node:path";

import { cachedFolder } from "../download-cache.ts";
import { findImage, runInContainer, startInContainer } from "../process/container.ts";
import type { Lookup } from "../provider.ts";
import { formatTemplate } from "./format-storage.ts";
import { brokerArguments, storageToolArguments } from "./kafka-runtime.ts";
import type { KafkaRuntime, KafkaVersion } from "./kafka-runtime.ts";

/** Where the image `apache/kafka` keeps its jars. */
const CLASS_PATH = "/opt/kafka/libs/*";
const FORMAT_TIMEOUT_MS = 60_000;

/** Run Kafka from the image `apache/kafka`, on the host's network and with the same files as without a container. */
export async function containerRuntime(version: KafkaVersion): Promise<Lookup<KafkaRuntime>> {
  const lookup = await findImage(`apache/kafka:${version}`);
  if ("missing" in lookup) return lookup;
  const image = lookup.found;
  const template = await cachedFolder(`kafka-${version}-container`, async (folder) => {
    await formatTemplate(
      folder,
      async (args) =>
        await runInContainer(
          { ...image, command: ["java", ...storageToolArguments(CLASS_PATH, args)], folder },
          FORMAT_TIMEOUT_MS,
        ),
    );
  });
  return {
    found: {
      provider: "container",
      bootstrapCheckpoint: join(template, "bootstrap.checkpoint"),
      launch: async (node) =>
        await startInContainer(
          {
            ...image,
            command: ["java", ...brokerArguments(CLASS_PATH, node)],
            folder: node.clusterFolder,
          },
          { logFile: node.logFile, removeOnOrphan: node.clusterFolder },
        ),
    },
  };
}
