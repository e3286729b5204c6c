import { join } from "node:path";

import { ROOT, publicPackages } from "./workspace.ts";
import type { Manifest, WorkspacePackage } from "./workspace.ts";

/** Where `pack.ts` puts the tarballs. */
export const PACKS: string = join(ROOT, "temp", "packs");

/** A package and the tarball that would be published. */
export interface PackedPackage extends WorkspacePackage {
  /** Absolute path of the tarball. */
  readonly tarball: string;
}

/** Every public package with its tarball. */
export async function packedPackages(): Promise<readonly PackedPackage[]> {
  const packages = await publicPackages();
  return packages.map((each) => ({ ...each, tarball: join(PACKS, tarballName(each.manifest)) }));
}

function tarballName({ name, version }: Manifest): string {
  return `${name.replace("@", "").replaceAll("/", "-")}-${version}.tgz`;
}
