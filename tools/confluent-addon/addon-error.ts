/**
 * Why the addon could not be prepared, in one word.
 *
 * - `PACKAGES_MISSING`: the message names the Debian packages to install.
 * - `HEADERS_MISSING`: the Node that runs came without its headers.
 * - `BUILD_FAILED`: the compiler or the installer of packages failed; the message names the kept log or quotes the end of it.
 */
export type AddonErrorCode = "PACKAGES_MISSING" | "HEADERS_MISSING" | "BUILD_FAILED";

/** Every failure of this tool; `code` says who has to act. */
export class AddonError extends Error {
  /** The discriminator; never parse the message. */
  readonly code: AddonErrorCode;

  constructor(code: AddonErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "AddonError";
    this.code = code;
  }
}
