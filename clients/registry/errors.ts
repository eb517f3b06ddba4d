/** The registry can't be reached or doesn't work now: network, 5xx, 429 after all retries. Worth another try later. */
export class RegistryUnavailable extends Error {
  override readonly name = "RegistryUnavailable";
}

/** The registry answered that it doesn't have it. */
export class ArtifactMissing extends Error {
  override readonly name = "ArtifactMissing";
}

/** The bytes aren't those that the digest names. */
export class DigestMismatch extends Error {
  override readonly name = "DigestMismatch";
}

/** The registry refused the token. */
export class RegistryDenied extends Error {
  override readonly name = "RegistryDenied";
}
