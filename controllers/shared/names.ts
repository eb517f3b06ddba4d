/** Names of generated objects (docs/contracts.md, Names). All are DNS labels because the kinds' own names are bounded. */

interface Named {
  readonly kind: string;
  readonly metadata: { readonly name: string };
}

/** Prefixes differ, so that a session and an evaluation may have the same name. */
const epochLetters = ({ kind }: Named) =>
  kind === "Evaluation" ? { job: "ev", sandbox: "es", policy: "evaluation" } : { job: "e", sandbox: "s", policy: "sandbox" };

export const jobNameOfRun = (run: string, attempt: number) => `${run}-a${attempt}`;
export const jobNameOfEpoch = (owner: Named, epoch: number) => `${owner.metadata.name}-${epochLetters(owner).job}${epoch}`;
export const sandboxName = (owner: Named, epoch: number) => `${owner.metadata.name}-${epochLetters(owner).sandbox}${epoch}`;
export const sandboxPolicyName = (owner: Named) => `${owner.metadata.name}-${epochLetters(owner).policy}`;
export const planName = (evaluation: Named) => `${evaluation.metadata.name}-plan`;
export const jobNameOfNode = (check: string, node: number) => `${check}-n${node}`;
export const askJobName = (check: string) => `${check}-ask`;
export const headlessServiceName = (server: string) => `${server}-pods`;

/** The first 16 hex digits of a digest: the end of an Adapter's name. */
export const shortDigest = (digest: string) => digest.slice("sha256:".length, "sha256:".length + 16);

/** First 24 characters of the parent's name, 8 hex of its UID, and for an Adapter 16 hex of the digest. */
export function generatedName(parent: { name: string; uid: string }, digest?: string): string {
  const stem = parent.name.slice(0, 24).replace(/-+$/, "");
  const own = `${stem}-${parent.uid.replaceAll("-", "").slice(0, 8)}`;
  return digest ? `${own}-${shortDigest(digest)}` : own;
}

/** Repositories in an installation's registry (docs/contracts.md, Artifacts). */
export const repositoryOf = {
  adapters: (namespace: string) => `rune/${namespace}/adapters`,
  hypernetworks: (namespace: string) => `rune/${namespace}/hypernetworks`,
  corpora: (namespace: string) => `rune/${namespace}/corpora`,
  trajectories: (namespace: string) => `rune/${namespace}/trajectories`,
  reports: (namespace: string) => `rune/${namespace}/reports`,
  tasks: (namespace: string) => `rune/${namespace}/tasks`,
  bases: (namespace: string) => `rune/${namespace}/bases`,
  uploads: (namespace: string) => `rune/${namespace}/uploads`,
};

/** Repository of a bundled task set, for all namespaces. */
export const bundledRepository = (name: string) => `rune/tasks/${name.toLowerCase()}`;
