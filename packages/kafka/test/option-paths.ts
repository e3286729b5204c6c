import { KAFKA_OPTION_SCHEMA } from "../src/kafka-schema.ts";

/** What zod adds to the Standard Schema. */
type JsonSchemaOfZod = (typeof KAFKA_OPTION_SCHEMA)["~standard"] & {
  readonly jsonSchema: {
    input(options: object): {
      readonly properties: Record<string, { readonly properties?: object }>;
    };
  };
};

/** The path of every option of `kafka()`, as its schema knows them. */
export function everyOption(): readonly string[] {
  const { jsonSchema } = KAFKA_OPTION_SCHEMA["~standard"] as JsonSchemaOfZod;
  const { properties } = jsonSchema.input({
    target: "draft-2020-12",
    libraryOptions: { unrepresentable: "any" },
  });
  return Object.entries(properties).flatMap(([name, { properties: inner }]) =>
    inner === undefined ? [name] : Object.keys(inner).map((key) => `${name}.${key}`),
  );
}
