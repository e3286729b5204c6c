import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** The pnpm that runs us when there is one, else the one that npx brings. */
export function pnpmCommand(...args: readonly string[]): readonly [string, ...string[]] {
  return isOnPath("pnpm") ? ["pnpm", ...args] : ["npx", "-y", "pnpm@10", ...args];
}

function isOnPath(program: string): boolean {
  return (process.env["PATH"] ?? "").split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false; // not in this folder
    }
  });
}
