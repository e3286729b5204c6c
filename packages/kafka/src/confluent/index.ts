export { confluentDriver } from "./confluent-driver-factory.ts";
