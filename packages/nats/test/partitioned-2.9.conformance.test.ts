import { partitionedKit } from "./partitioned-kit.ts";

await partitionedKit("2.9.10");
