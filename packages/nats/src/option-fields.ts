import { z } from "zod";

/** An optional whole number of at least `min`. */
export function whole(
  min: number,
  fallback: number,
  description: string,
): z.ZodExactOptional<z.ZodInt> {
  return z
    .int("must be a whole number")
    .min(min, `must be at least ${min}`)
    .meta({ description, default: fallback })
    .exactOptional();
}

/** An optional word out of a list. */
export function word<const TWord extends string>(
  words: readonly TWord[],
  fallback: TWord,
  description: string,
): z.ZodExactOptional<z.ZodType<TWord, TWord>> {
  return oneOf(words, { description, default: fallback });
}

/** An optional word out of a list, without a default. */
export function oneOf<const TWord extends string>(
  words: readonly TWord[],
  meta: { readonly description: string; readonly default?: TWord },
): z.ZodExactOptional<z.ZodType<TWord, TWord>> {
  const schema: z.ZodType<TWord, TWord> = z.enum(words, {
    error: `must be one of ${words.join(", ")}`,
  });
  return schema.meta({ ...meta }).exactOptional();
}

/** Optional text. */
export function text(description: string): z.ZodExactOptional<z.ZodString> {
  return z.string("must be text").min(1, "must not be empty").meta({ description }).exactOptional();
}

/** An optional yes or no. */
export function flag(fallback: boolean, description: string): z.ZodExactOptional<z.ZodBoolean> {
  return z
    .boolean("must be true or false")
    .meta({ description, default: fallback })
    .exactOptional();
}
