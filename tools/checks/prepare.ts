import { startKafka, startNats } from "@bus/tools-brokers";

// Downloads and first starts take longer than the time-outs of tests allow; after this run they come from a cache.
for (const [name, start] of [
  ["kafka", startKafka],
  ["nats", startNats],
] as const) {
  const startedAtMs = performance.now();
  await using cluster = await start();
  const tookMs = Math.round(performance.now() - startedAtMs);
  console.log(
    `${name} ${cluster.version ?? ""} (${cluster.provider}): ${tookMs} ms with preparations`,
  );
}
