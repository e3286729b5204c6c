import { KafkaLab } from "./kafka-lab.ts";
import { runKit } from "./kit.ts";

runKit("kafka 3.9 with kafkajs", await KafkaLab.start({ version: "3.9.1" }));
