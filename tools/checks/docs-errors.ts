import { ERROR_CODES } from "../../packages/core/src/errors/error-codes.ts";

import { settleGenerated } from "./generated-file.ts";
import { reportProblems } from "./report-problems.ts";

const SOURCE = "packages/core/src/errors/error-codes.ts";
const HINT = "pnpm docs:errors --update";

const codes = Object.entries(ERROR_CODES).toSorted(([left], [right]) => left.localeCompare(right));
const rows = codes.map(
  ([code, { retryable, summary }]) =>
    `| <a id="${code.toLowerCase()}"></a>\`${code}\` | ${retryable ? "yes" : "no"} | ${summary} |`,
);
const text = `# Errors

Everything that @bus throws, rejects or reports is a \`BusError\`. Its \`code\` is one of these; test with \`BusError.is(error, "BUS_CONFIG")\`, never by message.

"Retryable" says whether the same call can succeed later without a change of code or configuration; it is the error's \`retryable\`.

| code | retryable | meaning |
| --- | --- | --- |
${rows.join("\n")}

Generated from [\`error-codes.ts\`](../${SOURCE}) by \`${HINT}\`.
`;

const problem = await settleGenerated("docs/errors.md", text, HINT);
reportProblems(
  problem === undefined ? [] : [problem],
  `docs/errors.md lists all ${codes.length} codes`,
);
