import { ensureConfluentAddon } from "./ensure-confluent-addon.ts";

// Building takes minutes, which no time-out of a test is made for.
await ensureConfluentAddon({ say: (line) => void process.stdout.write(`${line}\n`) });
