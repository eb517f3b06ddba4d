import type { CloudEvent } from "@rune/crds/contracts/cloudevents";
import type { Announcer } from "../shared/announce.ts";

/** Keeps what controllers tell; nothing of it goes anywhere. */
export class FakeOutbox implements Announcer {
  readonly told: CloudEvent[] = [];
  isTold(id: string): boolean {
    return this.told.some((event) => event.id === id);
  }
  tell(event: CloudEvent): void {
    this.told.push(event);
  }
}
