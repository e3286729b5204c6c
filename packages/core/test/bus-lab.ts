import { BusError, definePlugin, defineTopic } from "@bus/core";
import type { ConfiguredTransport, Plugin, PluginHost, Topic } from "@bus/core";
import { optionTable } from "@bus/core/adapter";
import { memory } from "@bus/memory";

/** What the tests publish. */
export const Orders: Topic<{ id: number }> = defineTopic<{ id: number }>("orders", {
  key: ({ id }) => String(id),
});
/** How long anything may take. */
export const soon: { readonly timeoutMs: number; readonly what: string } = {
  timeoutMs: 5_000,
  what: "it",
};

/** A plugin from what it does when it is installed. */
export function pluginOf(name: string, install: (host: PluginHost) => object): Plugin<object> {
  return definePlugin({
    name,
    options: optionTable<object, object>({}),
    create: () => ({ install: (host) => ({ api: install(host) }) }),
  })();
}

/** The code of the error that an action ends in. */
export async function codeOf(action: () => unknown): Promise<string | undefined> {
  try {
    await action();
  } catch (error) {
    if (BusError.is(error)) return error.code;
    throw error;
  }
  return undefined;
}

/** Memory, with one capability taken away. */
export function withoutCapability(capability: "lag"): ConfiguredTransport {
  const inner = memory();
  return {
    ...inner,
    create: (host) => {
      const transport = inner.create(host);
      const { [capability]: _, ...capabilities } = transport.capabilities;
      return {
        name: transport.name,
        capabilities,
        connect: () => transport.connect(),
        publish: (messages) => transport.publish(messages),
        subscribe: (request, deliver) => transport.subscribe(request, deliver),
        close: (options) => transport.close(options),
      };
    },
  };
}
