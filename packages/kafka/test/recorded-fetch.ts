/** One fetch response of one partition, as a broker sent it. */
export interface RecordedFetch {
  readonly name: string;
  /** Version of the Fetch request. */
  readonly version: number;
  /** The offset that was asked for. */
  readonly fetchOffset: number;
  /** Base64 of the response after its correlation id. */
  readonly payload: string;
}
