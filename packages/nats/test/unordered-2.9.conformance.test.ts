import { unorderedKit } from "./unordered-kit.ts";

await unorderedKit("2.9.10");
