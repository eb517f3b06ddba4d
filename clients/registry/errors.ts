/** The registry is unreachable or failing: network, 5xx, 429 after all retries. A later retry may succeed. */
export class RegistryUnavailable extends Error {
  override readonly name = "RegistryUnavailable";
}

/** The registry doesn't have it. */
export class ArtifactMissing extends Error {
  override readonly name = "ArtifactMissing";
}

/** The bytes don't have the expected digest. */
export class DigestMismatch extends Error {
  override readonly name = "DigestMismatch";
}

/** The registry refused the token. */
export class RegistryDenied extends Error {
  override readonly name = "RegistryDenied";
}
