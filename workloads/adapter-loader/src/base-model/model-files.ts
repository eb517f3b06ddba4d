export type ModelFiles = Record<string, { sha256: string; sizeBytes: number }>;

/** What a source put into the directory: all files of the model with their hashes. */
export type Fetched = { name: string; files: ModelFiles };
