import { group } from "./group.ts";

/** Annotations by which a person decides about an object; the value says why, in words. */
export const annotation = {
  archive: `${group}/archive`,
  restore: `${group}/restore`,
} as const;

/** Annotation-free labels that mirror status for selectors. */
export const label = {
  project: `${group}/project`,
  domain: `${group}/domain`,
  tier: `${group}/tier`,
  archived: `${group}/archived`,
  session: `${group}/session`,
  server: `${group}/server`,
  run: `${group}/run`,
  method: `${group}/method`,
  evaluation: `${group}/evaluation`,
  check: `${group}/check`,
  generation: `${group}/generation`,
  formerUID: `${group}/former-uid`,
  component: `${group}/component`,
  epoch: `${group}/epoch`,
  attempt: `${group}/attempt`,
  eventSubscriber: `${group}/event-subscriber`,
} as const;
