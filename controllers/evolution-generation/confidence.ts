import type { EvolutionGeneration } from "@rune/crds/kinds/evolution-generation";

/** The probability that any gate of a chain is wrong, over all its generations. */
const chanceOfError = 0.05;

/** Confidence of each generation's gate, so that those of the whole chain are wrong as rarely as one alone (Bonferroni). */
export const confidenceOf = ({ spec }: EvolutionGeneration) => String(Number((1 - chanceOfError / spec.maxGenerations).toFixed(6)));
