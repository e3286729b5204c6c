import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";

const folder = import.meta.dirname;
const [name = ""] = process.argv.slice(2);
const known = (await readdir(folder))
  .filter((file) => file.endsWith("-bench.ts"))
  .map((file) => file.replace(/-bench\.ts$/, ""))
  .toSorted();

if (name === "" || name === "--help" || !existsSync(join(folder, `${name}-bench.ts`))) {
  console.log(`usage: pnpm bench ${known.join(" | ")}`);
  process.exit(name === "" || name === "--help" ? 0 : 2);
}
await import(join(folder, `${name}-bench.ts`));
