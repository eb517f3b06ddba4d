import { buildImages, cluster, ensureUp, imageNames, loadImages } from "./api.ts";
import { embedded } from "./embedded.ts";
import { pingCluster } from "./external.ts";
import { progress } from "./progress.ts";
import { settings } from "./settings.ts";

const usage = `npm run cluster -- <command>

  up                start the embedded cluster (or check the one of KUBECONFIG)
  gvisor            start it with gVisor beside runc (RuntimeClass gvisor), until it is destroyed
  down              stop it and keep its state
  destroy           stop it and remove its state
  status            show what runs; exit status 1 if the cluster doesn't
  kubeconfig        print the path of its kubeconfig
  images [name…]    build images (all by default) and load them into the cluster
  load <name…>      the same for the named images

Images: ${imageNames.join(", ")}
With KUBECONFIG set (and RUNE_CLUSTER not "embedded") all commands use that cluster; see cluster/README.md.`;

const commands: Record<string, (args: string[]) => Promise<void>> = {
  up: async () => void (await ensureUp()),
  gvisor: () => onlyEmbedded("change", () => embedded.up({ withGvisor: true })),
  down: () => onlyEmbedded("stop", embedded.down),
  destroy: () => onlyEmbedded("remove", embedded.destroy),
  status,
  kubeconfig: async () => console.log(cluster().kubeconfig),
  images: (names) => bringImages(names.length > 0 ? names : imageNames),
  load: async (names) => {
    if (names.length === 0) throw new Error(`load needs the name of an image: ${imageNames.join(", ")}`);
    await bringImages(names);
  },
};

async function onlyEmbedded(what: string, work: () => Promise<void>): Promise<void> {
  const own = settings.externalKubeconfig;
  if (own) progress.say(`KUBECONFIG=${own} is a cluster of your own: Rune did not start it and doesn't ${what} it`);
  else await work();
}

async function status(): Promise<void> {
  const own = settings.externalKubeconfig;
  if (own) return console.log(`KUBECONFIG=${own}: Kubernetes ${await pingCluster(own)} is reachable`);
  const { running, text } = await embedded.status();
  process.stdout.write(text);
  if (!running) process.exitCode = 1;
}

async function bringImages(names: readonly string[]): Promise<void> {
  await ensureUp();
  const images = await loadImages(await buildImages(names));
  for (const [name, image] of Object.entries(images)) console.log(`${name.padEnd(16)} ${image.repository}:${image.tag}  ${image.digest}`);
}

const [name, ...args] = process.argv.slice(2);
const command = commands[name ?? ""];
if (!command) {
  console.error(name && name !== "help" && name !== "--help" ? `there is no command "${name}"\n\n${usage}` : usage);
  process.exitCode = name === "help" || name === "--help" ? 0 : 2;
} else {
  await command(args).catch((error: unknown) => {
    console.error(`\nnpm run cluster -- ${name}: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  });
}
