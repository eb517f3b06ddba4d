import type { Evidence } from "@rune/crds/contracts/evidence";

type Weights = Evidence["adapter"];

/** What the champion is the champion of. */
export const successionScope = { project: "tessera", domain: "houses" };

/**
 * Evidence as two generations of evolution store it: the first promotes `former`, the second `champion` in its place.
 * By it both are of the tier Domain, and only `champion` is a champion; without the retirement both would be.
 */
export function succession({ champion, former, namespace }: { champion: Weights; former: Weights; namespace: string }): Evidence[] {
  const headerOf = (adapter: Weights, generation: 1 | 2) => ({
    schema: "rune.dev/evidence/v1" as const,
    adapter,
    by: { kind: "EvolutionGeneration" as const, namespace, name: `tessera-g${generation}`, uid: `uid-of-tessera-g${generation}` },
    time: `2026-02-0${generation}T00:00:00Z`,
  });
  const promotion = {
    kind: "Promotion" as const,
    tier: "Domain" as const,
    scope: successionScope,
    delta: { estimate: 12, lower: 3, upper: 21 },
  };
  return [
    { ...promotion, ...headerOf(former, 1), over: [] },
    { ...promotion, ...headerOf(champion, 2), over: [former] },
    { kind: "Retirement", ...headerOf(former, 2), scope: successionScope, successor: champion },
  ];
}
