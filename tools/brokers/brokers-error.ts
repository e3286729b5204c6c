/**
 * What went wrong, in one word.
 *
 * - `UNAVAILABLE`: nothing on this machine can run such a broker; the message lists what to install.
 * - `START_FAILED`: the broker was started and did not become ready; the message names its kept logs.
 * - `FAULTS_UNAVAILABLE`: the broker is not ours (or not proxied), so it cannot be killed, paused or cut off.
 * - `INVALID`: an argument that makes no sense, such as a node that does not exist.
 */
export type BrokersErrorCode = "UNAVAILABLE" | "START_FAILED" | "FAULTS_UNAVAILABLE" | "INVALID";

/** Every failure of this tool; `code` says who has to act. */
export class BrokersError extends Error {
  /** The discriminator; never parse the message. */
  readonly code: BrokersErrorCode;

  constructor(code: BrokersErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "BrokersError";
    this.code = code;
  }

  /** True for an error of this tool, with this code when one is given. */
  static is(error: unknown, code?: BrokersErrorCode): error is BrokersError {
    return error instanceof BrokersError && (code === undefined || error.code === code);
  }
}
