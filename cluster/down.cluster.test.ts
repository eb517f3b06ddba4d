import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { ensureUp } from "./api.ts";
import { embedded } from "./embedded.ts";
import { settings } from "./settings.ts";
import { run } from "./shell.ts";

// Run with RUNE_TEST_CLUSTER=1, as root. The cluster under test has separate network, mount and process namespaces,
// so it may be killed and stopped while another one (with the same addresses) keeps running beside it.
const cgroup = `rune-down-test-${process.pid}`;
const script = join(import.meta.dirname, "host/cluster.sh");
let state = "";

beforeAll(async () => {
  await ensureUp(); // builds the programs, if that has not been done
  state = await mkdtemp(join(settings.cache, "down-test-"));
  await run("cp", ["-al", embedded.bin, join(state, "bin")]);
}, 900_000);

afterAll(async () => {
  await run("sh", ["-c", `find /sys/fs/cgroup -depth -type d -path '*/${cgroup}*' -exec rmdir {} + || true`]);
  for (const left of ["", ".log", ".up", ".pid", ".sysctls"]) await rm(`${state}${left}`, { recursive: true, force: true });
});

/** Runs a script in namespaces without anything of Kubernetes; `left` prints what is visible there of a cluster. */
function inAWorldOfItsOwn(body: string): Promise<string> {
  const prelude = `
    set -eu
    export RUNE_CLUSTER_STATE=${state} RUNE_CLUSTER_CGROUP=${cgroup} S=${state}
    ip link set lo up
    for d in /run /var/lib/cni /var/log /var/lib/kubelet /usr/libexec/kubernetes; do mkdir -p $d; mount -t tmpfs none $d; done
    sysctls() { cat /proc/sys/net/ipv4/ip_forward /proc/sys/vm/overcommit_memory /proc/sys/kernel/panic /proc/sys/kernel/panic_on_oops; }
    cluster() { bash ${script} "$@" >$S.log 2>&1 || { cat $S.log; return 1; }; }
    pid() { bash ${script} status | awk -v n=$1 '$1 == n { print $3 }'; }
    left() {
      find /proc/[0-9]*/exe -maxdepth 0 -lname "$S/*" -printf 'process %l\\n' 2>/dev/null || true
      awk -v s="$S/" 'index($5, s) == 1 { print "mount", $5 }' /proc/self/mountinfo
      ip -br link | awk '$1 != "lo" { print "interface", $1 }'
      nft list tables
      find /sys/fs/cgroup -type d -name ${cgroup} -printf 'cgroup %p\\n'
      find /run /var/lib/cni /var/log /var/lib/kubelet /usr/libexec/kubernetes -mindepth 1 -not -path /run/mount -printf 'file %p\\n'
      ip netns list
      conntrack -L -s 10.244.0.0/24 2>/dev/null || true
      sysctls >/run/now; cmp /run/now $S.sysctls >/dev/null || echo "kernel settings differ"; rm -f /run/now
    }
    sysctls >$S.sysctls
  `;
  return run("unshare", ["--mount", "--net", "--pid", "--fork", "--mount-proc", "bash", "-c", prelude + body], { timeoutSeconds: 240 });
}

it("leaves nothing of the cluster on the machine", async () => {
  expect(await inAWorldOfItsOwn("cluster up; left >$S.up; [ $(wc -l <$S.up) -gt 20 ]; cluster down; left")).toBe("");
}, 250_000);

it("leaves nothing after all its processes were killed, and the next up brings the cluster back", async () => {
  const killAll = 'cluster up; kill -9 $(find /proc/[0-9]*/exe -maxdepth 0 -lname "$S/*" | cut -d/ -f3); cluster down; left';
  expect(await inAWorldOfItsOwn(`${killAll}; cluster up; bash ${script} status >/dev/null; cluster down`)).toBe("");
}, 250_000);

it("leaves nothing although containerd cannot start any more", async () => {
  const broken = "cluster up; kill -9 $(pid containerd); mv $S/bin/containerd $S/away; cluster down; mv $S/away $S/bin/containerd; left";
  expect(await inAWorldOfItsOwn(broken)).toBe("");
}, 250_000);

it("recovers from half-written state: a start that was killed, truncated files, a second up", async () => {
  const torn = `
    (bash ${script} up >/dev/null 2>&1 & echo $! >$S.pid; sleep 2; kill -9 $(cat $S.pid)) 2>/dev/null || true
    : >$S/kubeconfig; : >$S/pki/localpv.crt; : >$S/kubelet.yaml; rm -f $S/boot_id
    cluster up; cluster up; bash ${script} status >/dev/null; cluster down; left`;
  expect(await inAWorldOfItsOwn(torn)).toBe("");
}, 250_000);

it("destroy removes the state, and status says that nothing runs", async () => {
  const gone = `cluster up; cp -al $S/bin $S.bin; cluster destroy; left; ls -d $S 2>/dev/null || true; bash ${script} status >/dev/null && echo running || true; mkdir $S; mv $S.bin $S/bin`;
  expect(await inAWorldOfItsOwn(gone)).toBe("");
}, 250_000);
