/** An index: each namespace's status shows the number of its pods per node, without a single request to count them. */
import { namespaces, Operator, pods } from "kopf-ts";

const operator = new Operator();

const podsOf = operator.index("podsOf", pods, { when: ({ spec }) => Boolean(spec.nodeName) }, ({ namespace, name, spec }) => {
  return { [namespace ?? ""]: { name, node: spec.nodeName as string } };
});

operator.timer(namespaces, { id: "census", interval: 0.2, labels: { census: "yes" } }, ({ name, meta, patch }) => {
  const nodes = new Set(podsOf.get(name).map(({ node }) => node));
  const census = `${podsOf.get(name).length} pods on ${nodes.size} nodes`;
  if (meta.annotations?.census !== census) patch.metadata.annotations.census = census;
});

await operator.run();
