import { existsSync } from "node:fs";
import { progress } from "./progress.ts";
import { attempt, run } from "./shell.ts";

/** Packages of the distribution: the file that shows that one is installed, and its Debian name. */
type Packages = Record<string, string>;

export const packagesToBuildImages: Packages = {
  "/usr/bin/buildah": "buildah",
  "/usr/sbin/debootstrap": "debootstrap",
};

export const packagesOfTheCluster: Packages = {
  ...packagesToBuildImages,
  "/usr/lib/cni/ptp": "containernetworking-plugins",
  "/usr/sbin/nft": "nftables",
  "/usr/sbin/conntrack": "conntrack",
  "/usr/bin/openssl": "openssl",
  "/usr/bin/curl": "curl",
  "/usr/bin/gcc": "gcc",
  "/usr/bin/pkg-config": "pkg-config",
  "/usr/include/seccomp.h": "libseccomp-dev",
  "/usr/bin/python3": "python3",
};

export async function ensurePackages(needed: Packages): Promise<void> {
  const missing = Object.entries(needed)
    .filter(([file]) => !existsSync(file))
    .map(([, name]) => name);
  if (missing.length === 0) return;
  if (process.getuid?.() !== 0) throw new Error(`these packages are missing: ${missing.join(", ")}; install them, or run this with sudo`);
  const command = `apt-get install -y --no-install-recommends ${missing.join(" ")}`;
  if (!existsSync("/usr/bin/apt-get"))
    throw new Error(
      `these packages are missing: ${missing.join(", ")} (Debian's names); install them with your distribution's tool and run this again`,
    );
  await progress.step(`installing ${missing.join(", ")}`, async (detail) => {
    const env = { DEBIAN_FRONTEND: "noninteractive" };
    const onLine = (line: string) => detail(line.slice(0, 80));
    await attempt("apt-get", ["update", "-q"], { env, onLine }); // an unreachable third-party source is ignored
    await run("sh", ["-c", command], { env, onLine }).catch((error) => {
      throw new Error(`${(error as Error).message}\nInstall them by hand (${command}) and run this again.`);
    });
  });
}
