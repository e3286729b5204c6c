import type { HeaderList, OutgoingMessage } from "@bus/core";
import { propagation, ROOT_CONTEXT, trace } from "@opentelemetry/api";
import type { Context, SpanContext, TextMapPropagator } from "@opentelemetry/api";
import { HEADER_GETTER, HEADER_SETTER, hasHeader } from "./header-carrier.ts";

/** Carries trace context in the headers of messages. */
export class TraceContext {
  readonly #propagator: Pick<TextMapPropagator, "inject" | "extract" | "fields">;

  /** @param propagator - The registered one when absent. */
  constructor(propagator: TextMapPropagator | undefined) {
    this.#propagator = propagator ?? propagation;
  }

  /** Whether anything would be written at all. */
  get carriesNothing(): boolean {
    return this.#propagator.fields().length === 0;
  }

  /**
   * The context that a message carries. Never what happens to be active: a message is delivered by whatever brought it,
   * which is no part of its trace.
   */
  read(headers: HeaderList): Context {
    return headers.length === 0
      ? ROOT_CONTEXT
      : this.#propagator.extract(ROOT_CONTEXT, headers, HEADER_GETTER);
  }

  /** The span that a message belongs to already; `undefined` when it says nothing of one. */
  spanOf(headers: HeaderList): SpanContext | undefined {
    return trace.getSpanContext(this.read(headers));
  }

  /**
   * Write a context into messages. What a message says already is left as it is, byte for byte: one that belongs to a
   * trace keeps it, and no header is there twice.
   */
  write(messages: readonly OutgoingMessage[], context: Context): readonly OutgoingMessage[] {
    const written: (readonly [string, Uint8Array])[] = [];
    this.#propagator.inject(context, written, HEADER_SETTER);
    if (written.length === 0) return messages;
    return messages.map((message) => {
      const { headers } = message;
      if (headers.length === 0) return { ...message, headers: written };
      if (this.spanOf(headers) !== undefined) return message;
      const missing = written.filter(([name]) => !hasHeader(headers, name));
      return missing.length === 0 ? message : { ...message, headers: [...headers, ...missing] };
    });
  }
}
