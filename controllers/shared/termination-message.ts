import { parseJSON } from "@rune/clients/http/json";
import { failure } from "@rune/crds/contracts/pod";

/** The failure that a program reported in its termination message; undefined if it reported none. */
export function reportedFailure(message: string | undefined): { reason: string; message: string } | undefined {
  return failure.safeParse(parseJSON(message)).data?.failure;
}
