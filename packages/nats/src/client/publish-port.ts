import { BusTransportError } from "@bus/core";
import type { OutgoingFrame, PublishAnswers, PublishPort } from "../publish/publish-port.ts";
import { isNoResponders } from "../wire/status-line.ts";
import type { LinkSubscription, NatsLink } from "./nats-link.ts";

const RADIX = 36;

/** Publishing over a link: answers come in on one inbox, the ticket is the last part of its subjects. */
export class LinkPublishPort implements PublishPort {
  readonly #link: NatsLink;
  readonly #inbox: string;
  #subscription: LinkSubscription | undefined;

  constructor(link: NatsLink) {
    this.#link = link;
    this.#inbox = `${link.createInbox()}.`;
  }

  get maxPayloadBytes(): number {
    return this.#link.maxPayloadBytes;
  }

  listen(answers: PublishAnswers): void {
    const from = this.#inbox.length;
    this.#subscription = this.#link.subscribe(`${this.#inbox}*`, (message) => {
      const ticket = Number.parseInt(message.subject.slice(from), RADIX);
      const { data } = message;
      if (data.length > 0) answers.answered(ticket, data);
      else if (isNoResponders(message)) answers.noResponders(ticket);
    });
  }

  send({ subject, headerBlock, payload, ticket }: OutgoingFrame): void {
    if (!this.#link.isConnected)
      throw new BusTransportError("BUS_TRANSPORT", "there is no connection to a nats server");
    const reply = this.#inbox + ticket.toString(RADIX);
    this.#link.publish(subject, payload, { reply, headerBytes: headerBlock });
  }

  close(): void {
    this.#subscription?.unsubscribe();
    this.#subscription = undefined;
  }
}
