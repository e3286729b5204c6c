/** The command line or the configuration is wrong: one line says what, and nothing was done. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}
