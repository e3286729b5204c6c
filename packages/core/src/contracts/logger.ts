/** Structured fields of a log line; values must be serialisable. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Where a bus writes its log. Nothing is logged per message above `debug`. The default drops everything. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}
