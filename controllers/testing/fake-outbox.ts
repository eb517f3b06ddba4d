import type { CloudEvent } from "@rune/crds/contracts/cloudevents";
import type { EventPublisher } from "../shared/cloudevents.ts";

/** Keeps what controllers publish; nothing of it goes anywhere. */
export class FakeOutbox implements EventPublisher {
  readonly told: CloudEvent[] = [];
  hasAccepted(id: string): boolean {
    return this.told.some((event) => event.id === id);
  }
  publish(event: CloudEvent): void {
    this.told.push(event);
  }
}
