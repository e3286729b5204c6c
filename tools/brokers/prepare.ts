import { startKafka, startNats } from "./index.ts";

// The versions that are not the default are downloaded, or built, before tests need them: their time-outs are not made for that.
{
  await using kafka = await startKafka({ version: "3.9.1" });
  await using nats = await startNats({ version: "2.9.10" });
  process.stdout.write(
    `kafka ${kafka.version ?? ""} and nats-server ${nats.version ?? ""} start\n`,
  );
}
