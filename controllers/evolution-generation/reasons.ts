/** Reasons of an EvolutionGeneration beside the shared ones. */
export const GenerationReason = {
  /** The ModelServer of `serverRef` doesn't exist. */
  ServerMissing: "ServerMissing",
  /** The ModelServer of `serverRef` isn't ready yet. */
  ServerNotReady: "ServerNotReady",
  /** No task of a set belongs to the requested part. */
  PartEmpty: "PartEmpty",
  /** The deciding tasks overlap with the selecting ones. */
  TasksOverlap: "TasksOverlap",
  /** Fewer than two Adapters can be parents. */
  PopulationTooSmall: "PopulationTooSmall",
  /** The task sets are being stored in the registry. */
  StoringTasks: "StoringTasks",
  /** The previous generation's champion doesn't show its promotion yet. */
  ChampionPending: "ChampionPending",
  /** The population is frozen. */
  PopulationFrozen: "PopulationFrozen",
  /** Members are being measured. */
  MeasuringMembers: "MeasuringMembers",
  /** Fewer than two members could be measured. */
  MembersUnmeasured: "MembersUnmeasured",
  /** The parents are selected. */
  ParentsSelected: "ParentsSelected",
  /** TrainingRuns are making the children. */
  Breeding: "Breeding",
  /** Children are being measured. */
  MeasuringChildren: "MeasuringChildren",
  /** Children that bring nothing new are dropped. */
  Sifting: "Sifting",
  /** A child is being tested. */
  Promoting: "Promoting",
  /** A child became a champion. */
  Promoted: "Promoted",
  /** No child was promoted. */
  NotPromoted: "NotPromoted",
  /** It is being decided which members are archived. */
  Pruning: "Pruning",
  /** Decisions are being stored in the registry. */
  Recording: "Recording",
  /** A decision can never be stored, and isn't in force. */
  DecisionRefused: "DecisionRefused",
  /** The experiment tracker has no run of the generation. */
  NotTracked: "NotTracked",
  /** The hypernetwork is being retrained on a larger corpus. */
  Retraining: "Retraining",
  /** A TrainingRun of another chain has the retraining's name. */
  RetrainingExists: "RetrainingExists",
  /** The next generation exists. */
  Continued: "Continued",
  /** An object of another chain has the next generation's name. */
  NextExists: "NextExists",
  /** Two generations brought no better adapter. */
  NoImprovement: "NoImprovement",
  /** `budget` is spent. */
  BudgetExhausted: "BudgetExhausted",
  /** This was the last of `maxGenerations`. */
  GenerationsReached: "GenerationsReached",
} as const;
