import { failingBus } from "./failing-bus.ts";
import { kafkaOver } from "./kafka-drivers.ts";

/**
 * A process to be killed: `consume` fails every message of a topic for good, `replay` replays its dead letters slowly.
 * Arguments: role, driver, brokers, topic.
 */
const [role = "", driver = "", brokers = "", topic = ""] = process.argv.slice(2);
const transport = kafkaOver(driver, brokers.split(","));

if (role === "consume") {
  await failingBus({
    transport,
    topic,
    handler: () => {
      throw new SyntaxError("poison");
    },
  });
} else {
  const bus = await failingBus({ transport, topic });
  await bus.deadLetters.replay({ topic, ratePerSecond: 400, concurrency: 2 });
  await bus.close();
}
