/** What a stream answers to a transmission. */
export type StreamAnswer =
  | { readonly kind: "stored"; readonly sequence: number; readonly isDuplicate: boolean }
  | { readonly kind: "refused"; readonly errorCode: number; readonly description: string };

const DIGIT_0 = 0x30;
const DIGIT_9 = 0x39;
const SPACE = 0x20;
const CLOSING_BRACE = 0x7d;
/** `"seq":`, which ends the fixed part of a plain acknowledgement. */
const SEQUENCE_NAME = Buffer.from('"seq":');
/** `{"stream":"` begins every acknowledgement, and no stream's name has a quote in it. */
const BEGIN = Buffer.from('{"stream":"');

/**
 * The sequence in a plain acknowledgement, `{"stream":"…","seq":1}`, without parsing JSON; −1 when the answer is anything else.
 */
export function plainSequence(answer: Uint8Array): number {
  if (answer[2] !== BEGIN[2] || answer[1] !== BEGIN[1] || answer[4] !== BEGIN[4]) return -1;
  const last = answer.length - 1;
  if (answer[last] !== CLOSING_BRACE) return -1;
  let at = last - 1;
  let sequence = 0;
  let scale = 1;
  for (let digit = answer[at] ?? 0; digit >= DIGIT_0 && digit <= DIGIT_9; digit = answer[at] ?? 0) {
    sequence += (digit - DIGIT_0) * scale;
    scale *= 10;
    at -= 1;
  }
  if (scale === 1) return -1;
  if (answer[at] === SPACE) at -= 1;
  for (let index = SEQUENCE_NAME.length - 1; index >= 0; index -= 1, at -= 1)
    if (answer[at] !== SEQUENCE_NAME[index]) return -1;
  return sequence;
}

/** Read any answer. @throws SyntaxError when it is not what JetStream says. */
export function readAnswer(answer: Uint8Array): StreamAnswer {
  const parsed: unknown = JSON.parse(Buffer.from(answer).toString());
  // Fields as JetStream's API fixes them; each is checked before it is used.
  const { error, seq, duplicate } = parsed as {
    readonly error?: {
      readonly err_code?: unknown;
      readonly code?: unknown;
      readonly description?: unknown;
    };
    readonly seq?: unknown;
    readonly duplicate?: unknown;
  };
  if (error !== undefined) {
    const { err_code: errorCode, code, description } = error;
    return {
      kind: "refused",
      errorCode: Number(errorCode ?? code ?? 0),
      description: typeof description === "string" ? description : "no reason",
    };
  }
  if (typeof seq !== "number") throw new SyntaxError("an acknowledgement without a sequence");
  return { kind: "stored", sequence: seq, isDuplicate: duplicate === true };
}
