import { unorderedKit } from "./unordered-kit.ts";

await unorderedKit("2.15.2");
