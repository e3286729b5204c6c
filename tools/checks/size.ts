import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

import { findFiles } from "./find-files.ts";
import { reportProblems } from "./report-problems.ts";
import { ROOT } from "./workspace.ts";

/** Every service installs core: all its JavaScript, compressed, in bytes. Raise it in the change that needs it, and say why there. */
const CORE_BUDGET_BYTES = 48_000;

const dist = join(ROOT, "packages", "core", "dist");
const files = await findFiles(["**/*.js"], dist, []);
const contents = await Promise.all(files.map((file) => readFile(join(dist, file))));
const size = gzipSync(Buffer.concat(contents), { level: 9 }).byteLength;

const missing = files.length === 0 ? ["packages/core has no dist: run pnpm build"] : [];
const tooLarge =
  size > CORE_BUDGET_BYTES
    ? [`@bus/core has ${size} bytes compressed, ${CORE_BUDGET_BYTES} are allowed`]
    : [];
reportProblems(
  [...missing, ...tooLarge],
  `@bus/core has ${size} of ${CORE_BUDGET_BYTES} bytes, compressed`,
);
