import { createEventBus } from "@bus/core";
import { nats } from "@bus/nats";
import { startNats } from "@bus/tools-brokers";
import { connect } from "nats";
import { benchTopic } from "./kafka-contenders.ts";
import {
  busConsumer,
  busPublisher,
  options,
  rawConsumer,
  rawPipeline,
  STREAM,
  windowedPublish,
} from "./nats-contenders.ts";
import { printTable, runSideBySide } from "./side-by-side.ts";
import { Workload, WORKLOAD_HEADERS } from "./workload.ts";

/** The raw client and the bus over one real server with file storage, alternating in one run. Options: messages, rounds. */
const MESSAGES = Number(process.argv[3] ?? 100_000);
const ROUNDS = Number(process.argv[4] ?? 5);
const PARTITIONS = 8;

await using cluster = await startNats();
const servers = cluster.servers;
const workload = new Workload("zipf", MESSAGES);
await using filler = createEventBus({
  transport: nats(options(servers, { partitions: PARTITIONS })),
});
await filler.start();
const connection = await connect({ servers });
const manager = await connection.jetstreamManager();

const publish = {
  servers,
  partitions: PARTITIONS,
  workload,
  topic: async (): Promise<string> => {
    await filler.publish(benchTopic("publish"), new Uint8Array(1));
    await manager.streams.purge(STREAM);
    return "publish";
  },
};
const published = await runSideBySide(
  [
    rawPipeline(publish, "all"),
    rawPipeline(publish, "none"),
    windowedPublish(publish),
    busPublisher(publish),
  ],
  ROUNDS,
);
printTable(
  `publish ${MESSAGES} messages of 256 B, Zipf keys, ${PARTITIONS} partitions, file storage, ${ROUNDS} alternating runs, median [min–max]`,
  published,
);

await manager.streams.purge(STREAM);
for (let from = 0; from < workload.length; from += 5_000)
  await Promise.all(
    workload
      .slice(from, from + 5_000)
      .map(({ key, value }) =>
        filler.publish(benchTopic("consume"), value, { key, headers: WORKLOAD_HEADERS }),
      ),
  );
const consume = { servers, topic: "consume", partitions: PARTITIONS, messages: MESSAGES };
const consumed = await runSideBySide([rawConsumer(consume), busConsumer(consume)], ROUNDS);
printTable(`consume the same ${MESSAGES} messages, each acknowledged`, consumed);
await connection.close();
