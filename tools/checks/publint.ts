import { readFile } from "node:fs/promises";

import { publint } from "publint";
import { formatMessage } from "publint/utils";

import { packedPackages } from "./packed.ts";
import { reportProblems } from "./report-problems.ts";

const packages = await packedPackages();
const problems: string[] = [];
for (const { manifest, tarball } of packages) {
  const bytes = await readFile(tarball);
  const { messages, pkg } = await publint({
    strict: true,
    pack: { tarball: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) },
  });
  for (const message of messages) {
    problems.push(
      `${manifest.name}: ${formatMessage(message, pkg, { color: false }) ?? message.code}`,
    );
  }
}
reportProblems(problems, `publint: ${packages.length} packages are clean`);
