import { KafkaLab } from "./kafka-lab.ts";
import { runKit } from "./kit.ts";

runKit("kafka 4.1 with kafkajs", await KafkaLab.start());
