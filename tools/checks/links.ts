import { findBrokenLinks } from "./find-broken-links.ts";
import { reportProblems } from "./report-problems.ts";
import { ROOT } from "./workspace.ts";

const { checked, problems } = await findBrokenLinks(ROOT);
reportProblems(problems, `${checked} relative links lead somewhere`);
