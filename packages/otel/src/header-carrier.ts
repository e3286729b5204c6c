import type { HeaderList } from "@bus/core";
import type { TextMapGetter, TextMapSetter } from "@opentelemetry/api";

const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** Reads what a propagator asks for from the headers of a message; a name that occurs more than once has several values. */
export const HEADER_GETTER: TextMapGetter<HeaderList> = Object.freeze({
  keys: (headers: HeaderList) => headers.map(([name]) => name),
  get(headers: HeaderList, wanted: string) {
    const values: string[] = [];
    for (const [name, value] of headers)
      if (isSame(name, wanted)) values.push(decoder.decode(value));
    return values.length > 1 ? values : values[0];
  },
});

/** Collects what a propagator writes, as headers. */
export const HEADER_SETTER: TextMapSetter<(readonly [string, Uint8Array])[]> = Object.freeze({
  set(headers: (readonly [string, Uint8Array])[], name: string, value: string) {
    headers.push([name, encoder.encode(value)]);
  },
});

/** Whether a header of this name is there. Other systems write the names of trace context in other cases. */
export function hasHeader(headers: HeaderList, wanted: string): boolean {
  return headers.some(([name]) => isSame(name, wanted));
}

function isSame(name: string, wanted: string): boolean {
  return (
    name === wanted ||
    (name.length === wanted.length && name.toLowerCase() === wanted.toLowerCase())
  );
}
