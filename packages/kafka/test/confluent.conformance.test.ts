import { ConfluentLab, KIT_PROCESSES } from "./confluent-lab.ts";
import { runKit } from "./kit.ts";

runKit("kafka 4.1 with confluent", await ConfluentLab.start(KIT_PROCESSES));
