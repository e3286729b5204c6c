/** Bytes that `writeVarint` takes for a 32-bit number. */
export function varintBytes(value: number): number {
  let rest = (value << 1) ^ (value >> 31);
  let count = 1;
  while ((rest >>>= 7) !== 0) count += 1;
  return count;
}

/**
 * Write a 32-bit number as a zigzag varint.
 *
 * @returns The position after it.
 */
export function writeVarint(bytes: Uint8Array, start: number, value: number): number {
  let at = start;
  let rest = (value << 1) ^ (value >> 31);
  while ((rest & ~0x7f) !== 0) {
    bytes[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  bytes[at++] = rest;
  return at;
}

/** Bytes that `writeVarlong` takes for a safe integer. */
export function varlongBytes(value: number): number {
  let count = 1;
  for (let rest = Math.floor(magnitude(value) / 0x40); rest > 0; rest = Math.floor(rest / 0x80)) {
    count += 1;
  }
  return count;
}

/**
 * Write a safe integer as a zigzag varlong.
 *
 * @returns The position after it.
 */
export function writeVarlong(bytes: Uint8Array, start: number, value: number): number {
  let at = start;
  const whole = magnitude(value);
  let byte = ((whole % 0x40) << 1) | (value < 0 ? 1 : 0);
  for (let rest = Math.floor(whole / 0x40); rest > 0; rest = Math.floor(rest / 0x80)) {
    bytes[at++] = byte | 0x80;
    byte = rest % 0x80;
  }
  bytes[at++] = byte;
  return at;
}

/** What zigzag puts above the sign: doubled it may exceed what a number holds exactly. */
function magnitude(value: number): number {
  return value < 0 ? -value - 1 : value;
}
