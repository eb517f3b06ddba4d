import { z } from "zod";

/** A sha256 content digest, `sha256:` and 64 lower-case hex digits. */
export const digest = () =>
  z
    .string()
    .length(71)
    .regex(/^sha256:[0-9a-f]{64}$/);

/**
 * A DNS label (RFC 1123) of at most `max` characters: the name of one of Rune's own objects, which becomes the value of
 * labels and part of the names of pods and Services.
 */
export const objectName = (max = 63) =>
  z
    .string()
    .min(1)
    .max(max)
    .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/);

/**
 * A DNS subdomain (RFC 1123), the name of a Secret, a ConfigMap or a PersistentVolumeClaim in the same namespace: unlike
 * `objectName` it may have dots and 253 characters, so it must never become a label's value or part of another name.
 */
export const subdomainName = () =>
  z
    .string()
    .min(1)
    .max(253)
    .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/);

/** The name of a ModelServer, and so of its Service, whose name must begin with a letter (RFC 1035). */
export const serverName = () =>
  z
    .string()
    .min(1)
    .max(40)
    .regex(/^[a-z]([-a-z0-9]*[a-z0-9])?$/);

/**
 * A path in the installation's OCI registry, without host, tag or digest (distribution-spec 1.1, "Pulling manifests"). Namespaces are parts of
 * repositories, and may have several hyphens in a row.
 */
export const repository = () =>
  z
    .string()
    .min(1)
    .max(200)
    .regex(/^[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*(\/[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*)*$/);

/** Free text of at most `max` characters. */
export const text = (max: number) => z.string().max(max);

/** A non-negative decimal number written as a string, because the API has no floats. */
export const decimal = () =>
  z
    .string()
    .max(20)
    .regex(/^[0-9]+(\.[0-9]+)?(e-?[0-9]+)?$/);

/** A decimal number written as a string, which may be negative. */
export const signedDecimal = () =>
  z
    .string()
    .max(20)
    .regex(/^-?[0-9]+(\.[0-9]+)?(e-?[0-9]+)?$/);

/** A whole number between `min` and `max`, both included. */
export const whole = (min: number, max: number) => z.number().int().min(min).max(max);

/** An RFC 3339 time. */
export const time = () => z.iso.datetime();

/** Label values and selectors by equality; at most 64. */
export const labels = () => z.record(z.string().max(253), z.string().max(63)).meta({ maxProperties: 64 });

/** Metadata of a list keyed by `keys`: the API server refuses duplicates, and server-side apply merges per item. */
export const byKey = (...keys: string[]) => ({ "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": keys });
