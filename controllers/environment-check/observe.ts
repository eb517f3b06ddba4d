import type { EnvironmentCheck } from "@rune/crds/kinds/environment-check";
import type { ModelServer } from "@rune/crds/kinds/model-server";
import { label } from "@rune/crds/words/labels";
import { type Context, type DynamicObject, isTerminal, jobs, nodes, pods } from "kopf-ts";
import { type BaseState, observeBase } from "../pods/base-model.ts";
import { ownChild, spentLogins } from "../pods/pod.ts";
import { podsOf } from "../pods/problems.ts";
import { observeRefusal } from "../pods/refusal.ts";
import { askJobName, generatedName, jobNameOfNode, repositoryOf } from "../shared/names.ts";
import { observeRequirements } from "../shared/requires.ts";
import { adapters, modelServers } from "../shared/resources.ts";
import type { Services } from "../shared/services.ts";
import { secondsLeft } from "./decide.ts";
import { type JobState, jobState } from "./job-state.ts";
import { chosenNodes } from "./nodes.ts";
import type { World } from "./world.ts";

/** All reads of a pass. */
export async function observe(check: EnvironmentCheck, context: Context, services: Services): Promise<World> {
  const { cache, client, signal } = context;
  const { namespace, name } = check.metadata;
  const { spec, status } = check;
  const over = isTerminal(check) || check.metadata.deletionTimestamp !== undefined;
  const starting = !over && !status?.startTime && !spec.suspend;
  const own = cache(pods).list({ namespace, labels: { [label.check]: name } });
  const jobNamed = (job: string) => ownChild(check, cache(jobs).get({ namespace, name: job }));
  const nodeJobNames = (status?.nodes ?? []).map((_, index) => jobNameOfNode(name, index));
  const nodeJobs = nodeJobNames.map(jobNamed);
  const askJob = jobNamed(askJobName(name));
  const creates = !over && !spec.suspend && (status?.nodes ?? []).some((node, index) => !node.checks && !nodeJobs[index]);
  const ownServer = ownChild(check, cache(modelServers).get({ namespace, name: generatedName(check.metadata) }));
  const { serverRef } = spec.server;
  return {
    check,
    requirements: observeRequirements(check, cache),
    chosen: starting ? chosenNodes(check, (await client.list(nodes, { signal })).items, services.config) : undefined,
    nonce: starting ? services.nonce() : undefined,
    base: creates ? await readBase(check, context, services) : notAsked,
    work: await Promise.all(nodeJobs.map((job) => observeWork(job, own, context))),
    server: serverRef ? cache(modelServers).get({ namespace, name: serverRef.name }) : staying(ownServer),
    ownServer,
    adapter: status?.adapter && ownChild(check, cache(adapters).get({ namespace, name: status.adapter.name })),
    knownGoodExists: spec.knownGood !== undefined && cache(adapters).get({ namespace, name: spec.knownGood.adapter }) !== undefined,
    ask: await observeWork(askJob, own, context),
    jobs: [...nodeJobs, askJob].filter((job) => job !== undefined),
    spentLogins: isTerminal(check) ? await spentLogins(check, nodeJobNames, context, services.config) : [],
    registryToken: creates ? await mint(check, context.clock.now(), services) : undefined,
  };
}

const notAsked: BaseState = { unresolved: "no Job is about to be created", missing: false };

/** A server that is being deleted, because the check was suspended, isn't waited for. */
const staying = (server: ModelServer | undefined) => (server?.metadata.deletionTimestamp ? undefined : server);

async function observeWork(job: DynamicObject | undefined, all: readonly DynamicObject[], context: Context): Promise<JobState> {
  const own = job ? podsOf(job, all) : [];
  return jobState({ job, pods: own, refusal: await observeRefusal(job, own, context) }, context.clock.now());
}

function readBase(check: EnvironmentCheck, { cache }: Context, services: Services): Promise<BaseState> {
  const { namespace } = check.metadata;
  const servers = cache(modelServers).list({ namespace });
  return observeBase(check.spec.base, servers, (repository) => services.registry(namespace, repository, ["pull"]));
}

/** Time by which credentials outlive the deadline, for the last upload. */
const spareSeconds = 600;

/** Only what the nodes need: read access to the base, and a repository for the adapter. */
async function mint(check: EnvironmentCheck, now: Date, services: Services): Promise<string> {
  const { namespace, name } = check.metadata;
  const access = [
    ...(check.spec.base.oci ? [{ repository: check.spec.base.oci.repository, actions: ["pull"] as const }] : []),
    { repository: repositoryOf.adapters(namespace), actions: ["pull", "push"] as const },
  ];
  const seconds = Math.max(0, secondsLeft(check, now)) + spareSeconds;
  return await services.registryToken({ namespace, subject: `EnvironmentCheck ${namespace}/${name}`, access, seconds });
}
