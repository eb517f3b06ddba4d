import type { RegistryAction } from "@rune/controllers/shared/services";
import { isForPeople, keptIn } from "@rune/controllers/shared/tenancy";
import { repository } from "@rune/crds/fields/field";

/** What a client wants to do in one repository. */
export interface Access {
  readonly repository: string;
  readonly actions: readonly RegistryAction[];
}

/** What somebody must be allowed in the Kubernetes API: a verb on `artifacts` of rune.dev, in a namespace or in the whole cluster. */
export interface Right {
  readonly verb: "get" | "create";
  readonly namespace?: string;
}

/** A request for more repositories than clients have reason to ask for at once. */
export class TooManyScopes extends Error {}

/** A push that takes blobs over from elsewhere asks for two. */
const mostRepositories = 10;
const actions: readonly RegistryAction[] = ["pull", "push"];
const repositoryName = repository();

/**
 * What `scope` parameters ask for, each repository once. The grammar is that of Distribution ("Token Scope Documentation"):
 * `repository:<name>:<action>,…`, several with spaces between them. What is nobody's to have (the catalogue, deleting, other
 * types) is left out.
 */
export function accessOf(scopes: readonly string[]): Access[] {
  const wanted = new Map<string, Set<RegistryAction>>();
  for (const scope of scopes.flatMap((each) => each.split(" "))) {
    const [, name = "", list = ""] = /^repository:(.+):([^:]*)$/.exec(scope) ?? [];
    if (!repositoryName.safeParse(name).success) continue;
    const found = wanted.get(name) ?? new Set();
    wanted.set(name, found);
    for (const action of actions) if (list.split(",").includes(action)) found.add(action);
  }
  if (wanted.size > mostRepositories)
    throw new TooManyScopes(`asked for ${wanted.size} repositories at once; ask for ${mostRepositories} at most`);
  return [...wanted].map(([name, found]) => ({ repository: name, actions: [...found] }));
}

/**
 * Who may do this: anyone who has the right; undefined means nobody. What belongs to no namespace is for those whose right
 * holds in the whole cluster. `watched`: the namespaces that the installation is for; empty means all.
 */
export function rightFor(repository: string, action: RegistryAction, watched: readonly string[]): Right | undefined {
  const kept = keptIn(repository);
  if (kept && watched.length > 0 && !watched.includes(kept.namespace)) return undefined;
  if (action === "push" && !isForPeople(repository)) return undefined;
  return { verb: action === "pull" ? "get" : "create", ...(kept && { namespace: kept.namespace }) };
}
