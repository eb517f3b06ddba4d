import { attempt } from "./shell.ts";
import { kubectlCommand } from "./tools.ts";

/** Makes sure that the user's own cluster is reachable; starts and stops nothing. Returns its version. */
export async function pingCluster(kubeconfig: string): Promise<string> {
  const [kubectl, ...args] = await kubectlCommand();
  const version = await attempt(kubectl, [...args, "--kubeconfig", kubeconfig, "--request-timeout=10s", "get", "--raw=/version"]);
  if (version.code !== 0)
    throw new Error(
      `KUBECONFIG=${kubeconfig} is set, but its cluster is unreachable:\n${version.stderr.trim()}\nStart that cluster, or unset KUBECONFIG (or set RUNE_CLUSTER=embedded) to use the embedded one.`,
    );
  return (JSON.parse(version.stdout) as { gitVersion: string }).gitVersion;
}
