/**
 * Types of the conditions of Rune's kinds. People's scripts and `spec.requires` wait for them, so one is never renamed; each is on
 * its kind's page in docs/kinds.
 */
export const ConditionType = {
  /** The object is as asked: what it is for exists or works. Every kind has it. */
  Ready: "Ready",
  /** Work is still to be done; absent otherwise. */
  Reconciling: "Reconciling",
  /** A person must act before anything continues; absent otherwise. */
  Stalled: "Stalled",
  /** The work of a bounded object has ended and achieved its purpose. */
  Succeeded: "Succeeded",
  /** The work of a bounded object has ended without achieving its purpose. */
  Failed: "Failed",
  /** An Adapter is being deleted and waits until nothing uses it. */
  Deleting: "Deleting",
  /** A program of an AgentSession passed the task's tests. */
  Solved: "Solved",
  /** The log of an AgentSession is stored as an artifact. */
  TrajectorySealed: "TrajectorySealed",
  /** The TrainingRun that a session started has made an Adapter of it. */
  Learnt: "Learnt",
  /** Every probe of the sandbox of an AgentSession or an Evaluation answered as it must. */
  IsolationVerified: "IsolationVerified",
  /** Every adapter that users of a ModelServer want is loaded. */
  AdaptersLoaded: "AdaptersLoaded",
  /** A TrainingRun has enough to learn from. */
  CorpusSufficient: "CorpusSufficient",
  /** An alarm ended the training of a hypernetwork. */
  ModeCollapse: "ModeCollapse",
  /** It is known which difference an Evaluation can show. */
  PowerKnown: "PowerKnown",
  /** A gate can't be passed for want of control arms. */
  ControlsMissing: "ControlsMissing",
  /** The candidate of an Evaluation's gate passed it. */
  GatePassed: "GatePassed",
  /** Every check of an EnvironmentCheck passed, or had nothing to check. */
  ChecksPassed: "ChecksPassed",
  /** An EvolutionGeneration made one of its adapters the champion. */
  Promoted: "Promoted",
} as const;
export type ConditionType = (typeof ConditionType)[keyof typeof ConditionType];

/** Kubernetes' own conditions, as far as they are read: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-conditions */
export const PodCondition = {
  /** The pod answers its readiness probes; of a node, that it takes pods. */
  Ready: "Ready",
  /** A node was found for the pod. */
  PodScheduled: "PodScheduled",
  /** The pod is about to be ended by a drain, an eviction or a preemption. */
  DisruptionTarget: "DisruptionTarget",
} as const;

/** Of a Job: https://kubernetes.io/docs/concepts/workloads/controllers/job/#terminal-job-conditions */
export const JobCondition = {
  /** All that was to be done is done. */
  Complete: "Complete",
  /** Somebody, or a queue, holds it back. */
  Suspended: "Suspended",
  /** It is given up. */
  Failed: "Failed",
} as const;
