import { ConfluentLab, KIT_PROCESSES } from "./confluent-lab.ts";
import { runKit } from "./kit.ts";

runKit("kafka 3.9 with confluent", await ConfluentLab.start(KIT_PROCESSES, { version: "3.9.1" }));
