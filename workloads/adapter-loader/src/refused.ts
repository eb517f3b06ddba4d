import type { Refusal } from "@rune/crds/contracts/loader";

/** Why an adapter is not loaded: a reason for programs and a sentence for people. */
export class Refused extends Error {
  override readonly name = "Refused";
  readonly reason: Refusal;
  constructor(reason: Refusal, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}
