import { afterEach, expect, it } from "vitest";
import { inTurn, json, reset, status, type TestServer, testClock, testServer } from "../testing/http-server.ts";
import { Mlflow, MlflowUnavailable } from "./mlflow.ts";

let server: TestServer;
afterEach(() => server.close());
const against = async (...handlers: Parameters<typeof inTurn>) => {
  server = await testServer(inTurn(...handlers));
  return new Mlflow({ url: server.url, clock: testClock() });
};
const bodies = () =>
  server.requests.map((request) => [
    request.path.replace("/api/2.0/mlflow/", ""),
    request.body.length ? JSON.parse(request.body.toString()) : null,
  ]);
const missing = json(404, { error_code: "RESOURCE_DOES_NOT_EXIST", message: "no" });
const experiment = json(200, { experiment: { experiment_id: "7", lifecycle_stage: "active" } });
const created = json(200, { run: { info: { run_id: "r1" } } });
const run = { runID: "r1", experimentID: "7" };

it("starts a run in an experiment that its first run creates", async () => {
  const mlflow = await against(missing, json(200, { experiment_id: "7" }), created, json(200, {}));
  expect(await mlflow.startRun({ experiment: "plan phase 1", name: "n", params: { phase: "1" }, tags: { uid: "u" } })).toEqual(run);
  const [find, create, start, params] = bodies();
  expect(find?.[0]).toBe("experiments/get-by-name?experiment_name=plan%20phase%201");
  expect(create).toEqual(["experiments/create", { name: "plan phase 1" }]);
  expect(start?.[1].tags).toEqual([
    { key: "mlflow.runName", value: "n" },
    { key: "uid", value: "u" },
  ]);
  expect(params).toEqual(["runs/log-batch", { run_id: "r1", params: [{ key: "phase", value: "1" }] }]);
});

it("uses the experiment that another program created in between", async () => {
  const exists = json(400, { error_code: "RESOURCE_ALREADY_EXISTS" });
  const mlflow = await against(missing, exists, experiment, created);
  expect(await mlflow.startRun({ experiment: "e", name: "n" })).toEqual(run);
});

it("goes on with the run whose creation was answered too late, and creates another only where there is none", async () => {
  const tagged = { experiment: "e", name: "n", tags: { uid: "u", report: "r" } };
  const stored = await against(experiment, status(504), json(200, { runs: [{ info: { run_id: "r1" } }] }));
  expect(await stored.startRun(tagged)).toEqual(run);
  expect(bodies().map(([path]) => path.split("?")[0])).toEqual(["experiments/get-by-name", "runs/create", "runs/search"]);
  expect(bodies()[2]?.[1].filter).toBe("tags.`uid` = 'u' and tags.`report` = 'r'");
  await server.close();
  const lost = await against(experiment, status(504), json(200, {}), created);
  expect(await lost.startRun(tagged)).toEqual(run);
  await server.close();
  const untagged = await against(experiment, status(504), created);
  await expect(untagged.startRun({ experiment: "e", name: "n" })).rejects.toThrow(MlflowUnavailable);
});

it("logs finite metrics, a note, and the end", async () => {
  const mlflow = await against(json(200, {}));
  await mlflow.logMetrics(run, { pass_at_1: 0.5, training_loss: Number.NaN }, 3);
  await mlflow.note(run, "Gate PASSED");
  await mlflow.endRun(run);
  const [metrics, note, end] = bodies();
  expect(metrics?.[1].metrics).toMatchObject([{ key: "pass_at_1", value: 0.5, step: 3 }]);
  expect(note?.[1]).toEqual({ run_id: "r1", key: "mlflow.note.content", value: "Gate PASSED" });
  expect(end?.[1]).toMatchObject({ run_id: "r1", status: "FINISHED" });
});

it("sends no more at once than the server takes", async () => {
  const mlflow = await against(json(200, {}));
  await mlflow.logParams(run, Object.fromEntries(Array.from({ length: 230 }, (_, index) => [`p${index}`, "v"])));
  expect(bodies().map(([, body]) => body.params.length)).toEqual([100, 100, 30]);
});

it("finds the run of an earlier attempt by its tag", async () => {
  const mlflow = await against(experiment, json(200, { runs: [{ info: { run_id: "r1" } }] }), experiment, json(200, {}));
  expect(await mlflow.findRun({ experiment: "e", tag: "rune.uid", value: "u" })).toEqual(run);
  expect(bodies()[1]?.[1].filter).toBe("tags.`rune.uid` = 'u'");
  expect(await mlflow.findRun({ experiment: "e", tag: "rune.uid", value: "v" })).toBeNull();
});

it.each([
  ["is unavailable", [reset]],
  ["answers 500", [status(500)]],
  ["refuses", [json(400, { error_code: "INVALID_PARAMETER_VALUE", message: "no" })]],
  ["isn't MLflow", [json(200, { hello: 1 })]],
])("throws MlflowUnavailable when the server %s", async (_, handlers) => {
  await expect((await against(...handlers)).startRun({ experiment: "e", name: "n" })).rejects.toThrow(MlflowUnavailable);
});
