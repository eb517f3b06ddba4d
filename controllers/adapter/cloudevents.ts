import type { CloudEvent } from "@rune/crds/contracts/cloudevents";
import type { Evidence } from "@rune/crds/contracts/evidence";
import type { Adapter } from "@rune/crds/kinds/adapter";
import { eventAbout, objectOfEvent } from "../shared/cloudevents.ts";
import type { World } from "./world.ts";

/**
 * The events of an adapter: the decisions of its own namespace since it was created. The controller that decides stores
 * evidence once, so each piece is one event; evidence that came with an imported Adapter is older and yields none.
 */
export function eventsOf({ adapter, evidence }: Pick<World, "adapter" | "evidence">): CloudEvent[] {
  if (evidence.state !== "Read" || adapter.metadata.deletionTimestamp) return [];
  const since = Date.parse(adapter.metadata.creationTimestamp);
  return evidence.evidence
    .map((stored) => stored.evidence)
    .filter(({ by, time }) => by.namespace === adapter.metadata.namespace && Date.parse(time) >= since)
    .flatMap((piece) => eventsOfEvidence(adapter, piece));
}

function eventsOfEvidence(adapter: Adapter, piece: Evidence): CloudEvent[] {
  const { kind, name, uid } = piece.by;
  const header = { object: objectOfEvent(adapter), digest: piece.adapter.digest, by: { kind, name, uid } };
  const about = (what: string) => eventAbout(adapter, `${what}/${uid}`, piece.time);
  switch (piece.kind) {
    case "Promotion": {
      // A control adapter is never promoted, whatever the registry says.
      if (adapter.spec.control) return [];
      const { tier, scope } = piece;
      return [{ ...about("promoted"), type: "dev.rune.adapter.promoted.v1", data: { ...header, tier, scope } }];
    }
    case "Retirement": {
      const { scope, successor } = piece;
      return [{ ...about("retired"), type: "dev.rune.adapter.retired.v1", data: { ...header, scope, successor } }];
    }
    case "Archival":
      return [{ ...about("archived"), type: "dev.rune.adapter.archived.v1", data: { ...header, why: piece.why } }];
    case "Restoration":
      return [{ ...about("restored"), type: "dev.rune.adapter.restored.v1", data: { ...header, why: piece.why } }];
    case "Evaluation":
      return [];
    default:
      return piece satisfies never;
  }
}
