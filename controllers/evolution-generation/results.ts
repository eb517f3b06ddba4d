import { ArtifactMissing, DigestMismatch, layerOf, type Registry } from "@rune/clients/registry/registry";
import { ZodError, z } from "zod";
import { repositoryOf } from "../shared/names.ts";
import type { Services } from "../shared/services.ts";
import type { Results, Unavailable } from "./world.ts";

/** The part of an evaluation's `report.json` with each arm's results per task (docs/contracts.md, Reports). */
const report = z.object({
  evaluation: z.object({ uid: z.string() }),
  samples: z.number().positive(),
  arms: z.array(
    z.object({
      name: z.string(),
      adapterDigest: z.string().optional(),
      assigned: z.unknown().optional(),
      context: z.unknown().optional(),
    }),
  ),
  matrix: z.array(z.object({ task: z.string(), passed: z.record(z.string(), z.number()) })),
});
type Report = z.infer<typeof report>;

const reportFile = "report.json";
const largestReport = 32 * 1024 * 1024;
/** Key of the base's results. */
export const base = "base";

/** Results of all reports; the first measurement wins. Arms with several adapters or a context are left out. */
export function resultsOf(reports: readonly Report[]): Results {
  const results = new Map<string, ReadonlyMap<string, number>>();
  for (const { arms, matrix, samples } of reports)
    for (const arm of arms) {
      const who = arm.adapterDigest ?? base;
      if (arm.assigned || arm.context || results.has(who)) continue;
      results.set(who, new Map(matrix.map(({ task, passed }) => [task, (passed[arm.name] ?? 0) / samples])));
    }
  return results;
}

/**
 * Reads the reports of these evaluations by tag, so the evaluations themselves may be deleted. A report that is
 * missing, or belongs to another evaluation, is left out: its adapters then only have a Pass@1.
 */
export async function readResults(uids: readonly string[], namespace: string, services: Services): Promise<Results | Unavailable> {
  if (uids.length === 0) return new Map();
  const repository = repositoryOf.reports(namespace);
  const registry = services.registry(namespace, repository, ["pull"]);
  try {
    const reports: Report[] = [];
    for (const uid of uids) {
      const found = await readReport(registry, repository, uid);
      if (found) reports.push(found);
    }
    return resultsOf(reports);
  } catch (error) {
    return { unavailable: (error as Error).message };
  }
}

async function readReport(registry: Registry, repository: string, uid: string): Promise<Report | null> {
  try {
    const digest = await registry.resolveTag(repository, `evaluation-${uid}`);
    if (!digest) return null;
    const { manifest } = await registry.manifest(repository, digest);
    const layer = layerOf(manifest, reportFile);
    const found = layer && (await registry.json(repository, layer, report, largestReport));
    return found?.evaluation.uid === uid ? found : null;
  } catch (error) {
    if (error instanceof ArtifactMissing || error instanceof DigestMismatch || error instanceof ZodError) return null;
    throw error;
  }
}
