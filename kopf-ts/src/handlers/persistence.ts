import { hash } from "node:crypto";
import type { KubeObject } from "../api/object.ts";
import { digestOf, type Essence } from "./essence.ts";

/** A handler's progress with one change of one object. */
export interface Progress {
  /** When its first attempt began. */
  readonly started: string;
  /** Attempts made so far. */
  readonly retries: number;
  /** Not before this time again. */
  readonly delayed?: string;
  /** Whether it has ended, and how. */
  readonly ended?: "success" | "failure";
  /** The digest of the essence that it was about: a record of another one is ignored. */
  readonly of: string;
  readonly message?: string;
}

const longestMessage = 512;
/** In bytes. All annotations of an object may have 256 KiB together, and kubectl may keep as large a copy beside ours. */
const largestEssence = 96 * 1024;

/**
 * The state that handlers of changes need across restarts, in the object's own annotations, as in Kopf: the last
 * handled state (`<prefix>/last-handled`) and, only while something is unfinished, the progress of each handler.
 */
export class Persistence {
  readonly prefix: string;
  readonly finalizer: string;
  readonly #names = new Map<string, string>();

  constructor(prefix: string) {
    this.prefix = prefix;
    this.finalizer = `${prefix}/handlers`;
  }

  /** Fast path: compares with the last handled essence without parsing. */
  isHandled(object: KubeObject, essence: Essence): boolean {
    return object.metadata.annotations?.[this.#lastHandledName] === textOf(essence);
  }

  /**
   * The last handled essence, or its digest if it is large; undefined for an object that is new to us (or whose record
   * is corrupt).
   */
  lastHandled(object: KubeObject): Essence | string | undefined {
    return parse<Essence | string>(object.metadata.annotations?.[this.#lastHandledName]);
  }

  progress(object: KubeObject, id: string): Progress | undefined {
    return parse<Progress>(object.metadata.annotations?.[this.#nameOf(id)]);
  }

  /** The annotations to write; `null` removes one. Undefined if they are up to date. */
  annotations(
    object: KubeObject,
    news: { readonly lastHandled?: Essence; readonly progress: ReadonlyMap<string, Progress | null> },
  ): Record<string, string | null> | undefined {
    const there = object.metadata.annotations ?? {};
    const written: Record<string, string | null> = {};
    if (news.lastHandled) written[this.#lastHandledName] = textOf(news.lastHandled);
    for (const [id, record] of news.progress) {
      const text = record && JSON.stringify({ ...record, ...(record.message ? { message: record.message.slice(0, longestMessage) } : {}) });
      written[this.#nameOf(id)] = text;
    }
    for (const [name, text] of Object.entries(written)) if ((there[name] ?? null) === text) delete written[name];
    return Object.keys(written).length > 0 ? written : undefined;
  }

  get #lastHandledName(): string {
    return `${this.prefix}/last-handled`;
  }

  #nameOf(id: string): string {
    const name = this.#names.get(id) ?? this.#newName(id);
    this.#names.set(id, name);
    return name;
  }

  /** A valid annotation name (at most 63 characters of `[A-Za-z0-9._-]`), different for different ids. */
  #newName(id: string): string {
    const clean = `progress.${id}`.replaceAll(/[^A-Za-z0-9._-]/g, "-");
    const isExact = clean === `progress.${id}` && clean.length <= 63 && /[A-Za-z0-9]$/.test(clean);
    return `${this.prefix}/${isExact ? clean : `${clean.slice(0, 50)}-${hash("sha1", id).slice(0, 8)}`}`;
  }
}

function textOf(essence: Essence): string {
  const text = JSON.stringify(essence);
  return Buffer.byteLength(text) > largestEssence ? JSON.stringify(digestOf(essence)) : text;
}

function parse<T>(text: string | undefined): T | undefined {
  if (!text) return undefined;
  try {
    return JSON.parse(text) as T;
  } catch {
    return undefined;
  }
}
