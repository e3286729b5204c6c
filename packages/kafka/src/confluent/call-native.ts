import type { NativeCallback } from "./confluent-client-types.ts";

/**
 * Await one call of the client's callback API.
 *
 * @param start - Starts the call; what it throws at once is a rejection like any other.
 */
export function callNative<TAnswer>(
  start: (callback: NativeCallback<TAnswer>) => unknown,
): Promise<TAnswer> {
  return new Promise((resolve, reject) => {
    start((error, answer) => {
      if (error === null || error === undefined) resolve(answer);
      else reject(error);
    });
  });
}
