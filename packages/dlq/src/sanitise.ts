const MASK = "********";

/** Longest text that is looked at; what follows is cut off before any pattern runs, so that the time is bounded. */
const MAX_INPUT_CHARS = 65_536;

/**
 * `name=value`, `name: value` and `"name":"value"` for names that say secret. Every repetition is bounded and no two
 * adjacent ones can match the same character, so the time is linear in the length of the text.
 */
const SECRET_ASSIGNMENT =
  /((?:password|passwd|passphrase|secret|token|api[_-]?key|authorization|credentials?)[a-z0-9_-]{0,20})("?\s{0,4}[=:]\s{0,4})("[^"]{0,512}"?|'[^']{0,512}'?|(?:bearer|basic)\s{1,4}[^\s,;"'&]{1,512}|[^\s,;"'&]{1,512})/gi;
const URL_CREDENTIALS = /:\/\/[^\s/:@]{1,256}:[^\s/@]{1,256}@/g;
const BEARER = /\b(bearer|basic)\s{1,4}[a-z0-9._~+/=-]{8,2048}/gi;

/**
 * Make an error text fit for a header: secrets masked, control characters escaped, cut to a length.
 *
 * @param maxChars - Longest result; a longer one ends in `…`.
 */
export function sanitise(text: string, maxChars: number): string {
  const masked = text
    .slice(0, MAX_INPUT_CHARS)
    .replace(URL_CREDENTIALS, `://${MASK}@`)
    .replace(SECRET_ASSIGNMENT, `$1$2${MASK}`)
    .replace(BEARER, `$1 ${MASK}`);
  return cut(escapeControls(masked), maxChars);
}

/** Line breaks, tabs and other control characters as `\n`, `\t`, `\u001b`. */
export function escapeControls(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]/gu, (control) => {
    if (control === "\n") return "\\n";
    if (control === "\r") return "\\r";
    if (control === "\t") return "\\t";
    return `\\u${control.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}

function cut(text: string, maxChars: number): string {
  if (text.length <= maxChars) return text;
  if (maxChars < 1) return "";
  const end = maxChars - 1;
  // Never half of a surrogate pair.
  const last = text.charCodeAt(end - 1);
  return `${text.slice(0, last >= 0xd800 && last <= 0xdbff ? end - 1 : end)}…`;
}
