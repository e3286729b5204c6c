import { partitionedKit } from "./partitioned-kit.ts";

await partitionedKit("2.15.2");
