export { type CustomResourceDefinition, type CustomResourceVersion, crdOf } from "./crd.ts";
export { type ManifestOptions, manifestsOf, printManifests, yamlOf } from "./print.ts";
export { type Placement, type PolicyRule, type Program, type RbacManifest, rbacOf, rulesOf } from "./rbac.ts";
export { type Structural, structural, type Validation, walk } from "./structural.ts";
