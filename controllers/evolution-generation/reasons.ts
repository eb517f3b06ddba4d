/** Reasons of an EvolutionGeneration beside the shared ones. */
export const GenerationReason = {
  /** The ModelServer of `serverRef` doesn't exist. */
  ServerMissing: "ServerMissing",
  /** The ModelServer of `serverRef` doesn't answer yet. */
  ServerNotReady: "ServerNotReady",
  /** No task of a set belongs to the part that is asked for. */
  PartEmpty: "PartEmpty",
  /** The tasks that decide are among those that select. */
  TasksOverlap: "TasksOverlap",
  /** Fewer than two Adapters can be parents. */
  PopulationTooSmall: "PopulationTooSmall",
  /** The task sets are being stored in the registry. */
  StoringTasks: "StoringTasks",
  /** The Adapter that the generation before promoted doesn't show it yet. */
  ChampionPending: "ChampionPending",
  /** The population is frozen. */
  PopulationFrozen: "PopulationFrozen",
  /** Members are measured. */
  MeasuringMembers: "MeasuringMembers",
  /** Fewer than two members could be measured. */
  MembersUnmeasured: "MembersUnmeasured",
  /** The parents are selected. */
  ParentsSelected: "ParentsSelected",
  /** TrainingRuns make the children. */
  Breeding: "Breeding",
  /** Children are measured. */
  MeasuringChildren: "MeasuringChildren",
  /** Children that are nothing new are left out. */
  Sifting: "Sifting",
  /** A child is put to the test. */
  Promoting: "Promoting",
  /** A child is a champion from now on. */
  Promoted: "Promoted",
  /** No child deserves it. */
  NotPromoted: "NotPromoted",
  /** Who is archived is being decided. */
  Pruning: "Pruning",
  /** What was decided is being stored in the registry. */
  Recording: "Recording",
  /** A decision can't ever be stored, and isn't in force. */
  DecisionRefused: "DecisionRefused",
  /** The experiment tracker has no run of the generation. */
  NotTracked: "NotTracked",
  /** The hypernetwork is trained anew on a grown corpus. */
  Retraining: "Retraining",
  /** The next generation exists. */
  Continued: "Continued",
  /** Another chain's generation has the next one's name. */
  NextExists: "NextExists",
  /** Two generations brought no better adapter. */
  NoImprovement: "NoImprovement",
  /** `budget` is spent. */
  BudgetExhausted: "BudgetExhausted",
  /** This was the last of `maxGenerations`. */
  GenerationsReached: "GenerationsReached",
} as const;
