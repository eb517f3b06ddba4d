export type ModelFiles = Record<string, { sha256: string; sizeBytes: number }>;

/** All files of the model that a source put into the directory, with their hashes. */
export type Fetched = { name: string; files: ModelFiles };
