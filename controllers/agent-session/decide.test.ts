import type { LogRecord } from "@rune/crds/contracts/session-log";
import { type AgentSession, agentSession } from "@rune/crds/kinds/agent-session";
import type { ModelServer } from "@rune/crds/kinds/model-server";
import { nextStatus, type Outcome } from "kopf-ts";
import { describe, expect, it } from "vitest";
import { mayStillWrite } from "../epochs/worker.ts";
import { aCondition, aJob, aPod, aSession, now } from "../testing/builders.ts";
import { adapter as anAdapter, config, digestOf } from "../testing/objects.ts";
import { aSessionWorld, servedBase as baseDigest, logOf, aServer as server } from "../testing/session-world.ts";
import { decide } from "./decide.ts";
import { endingOf } from "./ending.ts";
import { trajectoryOf } from "./trajectory.ts";
import type { World } from "./world.ts";

const startTime = "2026-11-23T11:59:00Z";
const chosen = { reason: "NoneRelevant", message: "no memory" };
const targets = {
  canary: "10.0.0.1:80",
  dns: "10.0.0.2:53",
  modelServer: "10.0.0.3:8080",
  apiServer: "10.0.0.4:443",
  node: "10.0.0.5:10250",
};

const at = (n: number) => ({ n, epoch: 1, time: "2026-11-23T11:59:30Z" });
const proof: LogRecord = {
  type: "isolation",
  ...at(0),
  isolation: { verified: true, probes: [{ name: "canary", layer: 1, expected: "Blocked", observed: "Blocked" }] },
};
const ended: LogRecord = { type: "ended", ...at(3), outcome: "Solved", message: "a program passed" };
const decideOn = (over: Partial<World>): Outcome => decide(aSessionWorld(over), config, async () => {}, now);
const working = (status: object = {}) =>
  aSession({ status: { startTime, adapter: chosen, epoch: 1, sandbox: { pod: "fix-parser-s1", uid: 100001 }, ...status } });
const ready = { state: "Ready" as const, ip: "10.1.0.1", hostIP: "10.0.0.5", podUID: "p" };
const names = (outcome: Outcome) => outcome.creates.map(({ kind, metadata }) => `${kind}/${metadata.name}`);

describe("before work", () => {
  it("waits for its server, its library, and what it requires, naming each", () => {
    expect(decideOn({ server: undefined })).toMatchObject({ kind: "waiting", reason: "ServerMissing" });
    expect(decideOn({ libraryExists: false })).toMatchObject({ kind: "waiting", reason: "LibraryMissing" });
  });

  it("freezes the choice of memory in status before any pod exists", () => {
    const outcome = decideOn({});
    expect(outcome.status).toEqual({ adapter: expect.objectContaining({ reason: "NoneRelevant" }) });
    expect(outcome.creates).toEqual([]);
  });

  it("waits for the Adapter that it names, which may be applied after it", () => {
    const session = aSession({ spec: { adapter: { policy: "Fixed", name: "x" } } });
    const serving = { ...server, status: { ...server.status, baseDigest } } as ModelServer;
    const waits = decideOn({ session, server: serving });
    expect(waits).toMatchObject({ kind: "waiting", reason: "AdapterMissing", creates: [] });
    expect(waits.message).toBe("the Adapter x doesn't exist in this namespace; create it, or create a new session with another adapter");
    expect(
      decideOn({ session, server: serving, adapters: [anAdapter("x", { spec: { base: { name: "coder", digest: baseDigest } } })] }).status,
    ).toMatchObject({ adapter: { name: "x" } });
  });

  it("waits until the claimed adapter is loaded, and works without it when the server refuses it", () => {
    const session = aSession({
      status: { startTime, adapter: { name: "a-1", digest: digestOf("a"), reason: "MostRelevant", message: "" } },
    });
    const adapters = [anAdapter("a-1")];
    expect(decideOn({ session, adapters })).toMatchObject({ kind: "waiting", reason: "AdapterLoading" });
    const refusal = { name: "a-1", digest: digestOf("a"), state: "Refused", engines: 0, reason: "NotFinite" };
    const saying = (message: string) =>
      ({ ...server, status: { ...server.status, adapters: [{ ...refusal, message }] } }) as unknown as ModelServer;
    const refusing = saying("a weight is NaN");
    expect(decideOn({ session, adapters, server: refusing })).toMatchObject({
      reason: "AdapterRefused",
      status: { adapter: { reason: "AdapterRefused" } },
    });
    const long = decideOn({ session, adapters, server: saying("NaN ".repeat(256)) }).status as AgentSession["status"];
    expect(agentSession.status.shape.adapter.safeParse(long?.adapter).success, "the API server takes it").toBe(true);
    expect(
      decideOn({
        session: { ...session, spec: { ...session.spec, adapter: { policy: "Fixed", name: "a-1" } } },
        adapters,
        server: refusing,
      }),
    ).toMatchObject({ kind: "failed", reason: "AdapterRefused", message: expect.stringContaining("NaN") });
  });

  it("whose adapter is deleted before it begins chooses again; one that names it waits for it", () => {
    const status = { adapter: { name: "a-1", digest: digestOf("a"), reason: "MostRelevant", message: "" } };
    const again = decideOn({ session: aSession({ status }) });
    expect(again).toMatchObject({ kind: "progressing", reason: "AdapterMissing", requeueAtOnce: true });
    expect(nextStatus(aSession({ status }), again, now)).not.toHaveProperty("adapter");
    const named = decideOn({ session: aSession({ status, spec: { adapter: { policy: "Fixed", name: "a-1" } } }) });
    expect(named).toMatchObject({ kind: "waiting", reason: "AdapterMissing", message: expect.stringContaining("create it again") });
    const begun = decideOn({ session: aSession({ status: { ...status, epoch: 1, startTime } }) });
    expect(begun.reason).not.toBe("AdapterMissing");
  });

  it("raises the epoch in status before anything of it exists, with a user ID that nobody has", () => {
    const outcome = decideOn({ session: aSession({ status: { startTime, adapter: chosen } }), takenUIDs: new Set([100000]) });
    expect(outcome.status).toMatchObject({ epoch: 1, startTime: "2026-11-23T12:00:00Z", sandbox: { pod: "fix-parser-s1" } });
    expect((outcome.status as { sandbox: { uid: number } }).sandbox.uid).not.toBe(100000);
    expect(outcome.creates).toEqual([]);
  });
});

describe("a session that isn't admitted", () => {
  it("says so, and creates nothing", () => {
    const session = aSession({ status: { startTime, adapter: chosen } });
    const outcome = decideOn({ session, admission: { admitted: false, limit: 5 } });
    expect(outcome).toMatchObject({ kind: "waiting", reason: "ServerBusy", creates: [] });
  });
});

describe("an epoch", () => {
  it("after several losses in a row begins with a pause, and only then with a sandbox", () => {
    const losses = { count: 5, time: "2026-11-23T11:59:50Z", progress: 0 };
    expect(decideOn({ session: working({ losses }) })).toMatchObject({ kind: "waiting", reason: "EpochLost", creates: [] });
    expect(names(decideOn({ session: working({ losses: { ...losses, time: "2026-11-23T11:59:00Z" } }) }))).toContain("Pod/fix-parser-s1");
  });

  it("that is lost is counted, and after twenty in a row the session ends with what it has", () => {
    const lost = { state: "Ended" as const, permanent: false, reason: "EpochLost", message: "its pod vanished" };
    const losses = { count: 18, time: startTime, progress: 0 };
    const gone = { state: "Gone" as const, message: "it exited with 78" };
    expect(decideOn({ session: working({ losses }), worker: lost }).status).toMatchObject({ epoch: 2, losses: { count: 19 } });
    const last = { ...losses, count: 19 };
    const twentieth = decideOn({ session: working({ losses: last }), worker: { state: "Absent" }, sandbox: gone });
    expect(twentieth.status).toMatchObject({ epoch: 2, losses: { count: 20, message: "it exited with 78" } });
    const recorded = working(twentieth.status as object);
    for (const worker of [{ state: "Running" as const }, { state: "Absent" as const }, lost])
      expect(endingOf(recorded, worker, logOf(), now)).toMatchObject({
        outcome: "Aborted",
        reason: "EpochsExhausted",
        message: expect.stringContaining("it exited with 78"),
      });
    expect(endingOf(working({ losses: last }), lost, logOf(), now)).toBeUndefined();
  });

  it("creates the deny-all policy before the sandbox, and the agent only when the sandbox is ready", () => {
    expect(names(decideOn({ session: working() }))).toEqual([
      "NetworkPolicy/fix-parser-sandbox",
      "Secret/fix-parser-s1",
      "Pod/fix-parser-s1",
    ]);
    expect(names(decideOn({ session: working(), sandbox: ready, targets, natsCredentials: "c" }))).toEqual([
      "Secret/fix-parser-e1",
      "ConfigMap/fix-parser-e1",
      "Job/fix-parser-e1",
    ]);
  });

  it("doesn't start the agent while a service that the proof tries is missing", () => {
    expect(decideOn({ session: working(), sandbox: ready, natsCredentials: "c" })).toMatchObject({
      kind: "waiting",
      reason: "ProofTargetMissing",
      creates: [],
    });
  });

  it("is followed by the next one when the sandbox is gone, and the agent's Job goes first", () => {
    const job = aJob("fix-parser-e1");
    const outcome = decideOn({ session: working(), sandbox: { state: "Gone", message: "evicted" }, job, worker: { state: "Running" } });
    expect(outcome.status).toMatchObject({ epoch: 2, sandbox: { pod: "fix-parser-s2", uid: 100001 } });
    expect(outcome.deletes).toEqual([job]);
    expect(outcome.creates).toEqual([]);
  });

  it("goes on when a late probe makes its sandbox look unready", () => {
    const outcome = decideOn({
      session: working(),
      sandbox: { state: "Starting", message: "probe timed out" },
      worker: { state: "Running" },
    });
    expect(outcome).toMatchObject({ reason: "Working" });
  });

  it("is followed by the next one when the agent is lost", () => {
    const outcome = decideOn({
      session: working(),
      sandbox: ready,
      worker: { state: "Ended", permanent: false, reason: "EpochLost", message: "fenced" },
    });
    expect(outcome).toMatchObject({ status: { epoch: 2 }, events: [{ reason: "EpochLost" }] });
  });

  it("fences the agent that a suspension stops", () => {
    const job = aJob("fix-parser-e1");
    const session = { ...working(), spec: { ...working().spec, suspend: true } };
    const outcome = decideOn({ session, job, worker: { state: "Running" } });
    expect(outcome).toMatchObject({ reason: "Suspended", status: { epoch: 2 }, deletes: [job] });
  });

  it("says in one line what the newest program that failed raised, and nothing else of it", () => {
    const executed = (error: string, passed = false): LogRecord => ({
      type: "executed",
      ...at(2),
      program: "def parse(x):\n    secret()",
      execution: { passed, outcome: passed ? "Passed" : "Error", error, durationSeconds: 0.1 },
    });
    const statusAfter = (...records: LogRecord[]) =>
      decideOn({ session: working(), sandbox: ready, worker: { state: "Running" }, log: logOf(proof, ...records) })
        .status as AgentSession["status"];
    expect(statusAfter()).not.toHaveProperty("lastError");
    const raised = [executed("NameError: x"), executed("Traceback\n  parse\nAttributeError: jorana has no 'x'\n")];
    expect(statusAfter(...raised, executed("", true))).toMatchObject({ programs: 3, lastError: "AttributeError: jorana has no 'x'" });
    expect(JSON.stringify(statusAfter(...raised))).not.toContain("secret");
    const long = statusAfter(executed("x".repeat(4000)));
    expect(agentSession.status.shape.lastError.safeParse(long?.lastError).success, "the API server takes it").toBe(true);
  });

  it("has its agent log what the installation says", () => {
    const documentWith = (logLevel: "info" | "debug") => {
      const world = aSessionWorld({ session: working(), sandbox: ready, targets, natsCredentials: "c" });
      const outcome = decide(world, { ...config, agent: { logLevel } }, async () => {}, now);
      return outcome.creates.find(({ kind }) => kind === "ConfigMap") as { data?: Record<string, string> } | undefined;
    };
    expect(JSON.stringify(documentWith("debug")?.data)).toContain('logLevel\\":\\"debug');
    expect(JSON.stringify(documentWith("info")?.data)).toContain('logLevel\\":\\"info');
  });

  it("says that isolation is proven only once the log does", () => {
    const verified = (outcome: Outcome) => outcome.conditions.find(({ type }) => type === "IsolationVerified")?.status;
    expect(verified(decideOn({ session: working(), sandbox: ready, worker: { state: "Running" } }))).toBe("Unknown");
    expect(verified(decideOn({ session: working(), sandbox: ready, worker: { state: "Running" }, log: logOf(proof) }))).toBe("True");
  });
});

describe("the ending", () => {
  const over = {
    session: working(),
    log: logOf(proof, ended),
    ending: { outcome: "Solved" as const, reason: "Solved", message: "a program passed" },
  };
  const seal = { repository: "rune/team/trajectories", digest: digestOf("a") };

  it("is what the log says; else the deadline, or an agent that can't go on", () => {
    const unproven = { state: "Ended" as const, permanent: true, reason: "IsolationUnproven", message: "canary reached" };
    expect(endingOf(working(), { state: "Running" }, logOf(ended), now)).toMatchObject({ outcome: "Solved" });
    expect(endingOf(working(), { state: "Running" }, logOf(), now)).toBeUndefined();
    expect(endingOf(working(), { state: "Running" }, logOf(), new Date("2026-11-24T12:00:00Z"))).toMatchObject({
      outcome: "DeadlineExceeded",
    });
    expect(endingOf(working(), unproven, logOf(), now)).toMatchObject({
      outcome: "Aborted",
      reason: "IsolationUnproven",
    });
  });

  it("stops a live agent before anything is sealed", () => {
    const job = aJob("fix-parser-e1");
    const ending = { outcome: "DeadlineExceeded" as const, reason: "DeadlineExceeded", message: "time is over" };
    expect(decideOn({ session: working(), job, worker: { state: "Running" }, ending })).toMatchObject({
      reason: "Sealing",
      deletes: [job],
      effects: [],
    });
    expect(decideOn({ session: working(), agentWrites: true, ending, seal: { ...seal, stored: false } })).toMatchObject({
      reason: "Sealing",
      deletes: [],
      effects: [],
    });
  });

  it("believes an agent alive until its pod has ended, or its node hasn't answered for a minute", () => {
    const pod = aPod(aJob("fix-parser-e1"), "agent");
    const going = (deletionTimestamp: string) => ({
      ...pod,
      status: { phase: "Running" },
      metadata: { ...pod.metadata, deletionTimestamp },
    });
    expect(mayStillWrite([going("2026-11-23T11:59:30Z")], "agent", now)).toBe(true);
    expect(mayStillWrite([going("2026-11-23T11:58:30Z")], "agent", now)).toBe(false);
    expect(mayStillWrite([{ ...pod, status: { phase: "Failed" } }], "agent", now)).toBe(false);
    expect(mayStillWrite([], "agent", now)).toBe(false);
  });

  it("stores the trajectory first, and ends only when the registry has it", () => {
    const storing = decideOn({ ...over, seal: { ...seal, stored: false } });
    expect(storing).toMatchObject({ kind: "progressing", reason: "Sealing", effects: [{ name: "seal" }] });
    expect(decideOn({ ...over, seal: { ...seal, stored: true } })).toMatchObject({
      kind: "succeeded",
      reason: "Solved",
      status: { outcome: "Solved", trajectory: seal },
    });
  });

  it("lets credentials and inputs go before the trajectory is stored, and so before the end is told", () => {
    const secret = { apiVersion: "v1", kind: "Secret", metadata: { name: "fix-parser-e1", uid: "c" } };
    const storing = decideOn({ ...over, cleanup: [secret], seal: { ...seal, stored: false } });
    expect(storing).toMatchObject({ kind: "progressing", deletes: [secret], effects: [{ name: "seal" }] });
  });

  it("sums the proof up, and says nothing more of a sandbox that is gone", () => {
    const { status } = decideOn({ ...over, seal: { ...seal, stored: true } });
    expect(status).toMatchObject({ isolation: { verified: true, tried: 1, failed: [] }, sandbox: undefined });
    expect(status).not.toHaveProperty("isolation.probes");
  });

  it("waits for a registry or a log that is unavailable, and loses nothing", () => {
    expect(decideOn({ ...over, seal: { unavailable: "refused" } })).toMatchObject({ kind: "waiting", reason: "RegistryUnavailable" });
    expect(decideOn({ ...over, log: { unavailable: "refused" } })).toMatchObject({ kind: "waiting", reason: "LogUnavailable" });
  });

  it("of an exhausted session is a result, of an aborted one a failure", () => {
    const end = (outcome: "Exhausted" | "Aborted") =>
      decideOn({ ...over, ending: { outcome, reason: outcome, message: "m" }, seal: { ...seal, stored: true } });
    expect(end("Exhausted")).toMatchObject({ kind: "succeeded" });
    expect(end("Exhausted").conditions).toContainEqual(expect.objectContaining({ type: "Solved", status: "False" }));
    expect(end("Aborted")).toMatchObject({ kind: "failed", status: { trajectory: seal } });
  });

  it("takes the sandbox away, also when that was missed before", () => {
    const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "fix-parser-s1", uid: "p" } };
    const session = working({ conditions: [aCondition("Succeeded")] });
    expect(decideOn({ session, sandboxPod: pod })).toMatchObject({ kind: "unchanged", deletes: [pod] });
  });

  it("seals the same log to the same bytes", () => {
    expect(trajectoryOf(working(), [proof, ended], "Solved")).toEqual(trajectoryOf(working(), [proof, ended], "Solved"));
  });
});
