import { group } from "./group.ts";

/** Annotations by which a person decides about an object; the value is the reason, in words. */
export const annotation = {
  archive: `${group}/archive`,
  restore: `${group}/restore`,
} as const;

/** Keys of the labels that Rune sets. */
export const label = {
  project: `${group}/project`,
  domain: `${group}/domain`,
  tier: `${group}/tier`,
  archived: `${group}/archived`,
  session: `${group}/session`,
  server: `${group}/server`,
  run: `${group}/run`,
  method: `${group}/method`,
  control: `${group}/control`,
  evaluation: `${group}/evaluation`,
  check: `${group}/check`,
  generation: `${group}/generation`,
  formerUID: `${group}/former-uid`,
  component: `${group}/component`,
  epoch: `${group}/epoch`,
  attempt: `${group}/attempt`,
  eventSubscriber: `${group}/event-subscriber`,
} as const;
