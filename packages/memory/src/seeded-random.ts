/**
 * A reproducible source of chance: one seed, one sequence.
 *
 * @param seed - Any integer.
 * @returns A function that returns the next number in [0, 1).
 *
 * Source: mulberry32, a 32-bit generator in the public domain; good enough to vary an order, not for secrets.
 */
export function seededRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
