/**
 * The addresses to begin with, in the order in which a new client should try them.
 *
 * kafkajs begins with the first one of its list and stays with it as long as that takes connections, also when it answers
 * none of its requests: a broker that is frozen would keep every consumer that is rebuilt from coming back.
 */
export class SeedBrokers {
  #order: readonly string[];

  constructor(brokers: readonly string[]) {
    this.#order = brokers;
  }

  get order(): readonly string[] {
    return this.#order;
  }

  /** An address has not answered: all others are tried before it. Unknown ones are ignored. */
  suspect(address: string | undefined): void {
    if (address === undefined || !this.#order.includes(address)) return;
    this.#order = [...this.#order.filter((one) => one !== address), address];
  }
}
