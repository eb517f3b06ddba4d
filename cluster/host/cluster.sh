#!/bin/bash
# cluster.sh up|down|destroy|status : starts and stops a one-node Kubernetes on this machine. Called by ../embedded.ts,
# which puts the programs into $STATE/bin first.
#
# Our own resources are recognizable without any bookkeeping that a crash could lose:
#   processes    their executable is in $STATE/bin, or they are in the cgroup $CGROUP
#   mounts       below $STATE (the pods' network namespaces too, so /run/netns is never touched)
#   interfaces   $BRIDGE, and the pods' veths, which are removed with their network namespaces
#   nftables     the tables in $TABLES
# so `down` works after anything: kill -9, a reboot, a start that failed half way, a containerd that doesn't start.
set -euo pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
STATE=${RUNE_CLUSTER_STATE:-/var/lib/rune-cluster}
BIN=$STATE/bin PKI=$STATE/pki LOG=$STATE/log RUN=$STATE/run
NODE=node1 NODE_IP=172.30.0.1 POD_CIDR=10.244.0.0/24 SVC_CIDR=10.96.0.0/16 API_IP=10.96.0.1 DNS_IP=10.96.0.10
API=https://$NODE_IP:6443 BRIDGE=rune0 CGROUP=${RUNE_CLUSTER_CGROUP:-rune} GPUS=${RUNE_CLUSTER_GPUS:-8}
TABLES=("ip rune_masq" "inet rune_netpol" "ip kube-proxy" "ip6 kube-proxy")
KUBECONFIG_OUT=$STATE/kubeconfig
# In the order in which `up` starts them; `down` stops them in reverse.
COMPONENTS=(containerd etcd kube-apiserver kube-controller-manager kube-scheduler netpol kubelet kube-proxy localpv)
# What the kubelet sets on the node for its pods; `down` restores the earlier values.
SYSCTLS=(net.ipv4.ip_forward vm.overcommit_memory vm.panic_on_oom kernel.panic kernel.panic_on_oops kernel.keys.root_maxkeys kernel.keys.root_maxbytes)

# Not the caller's PATH: components whose command line differs are restarted.
SYSTEM_PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH=$SYSTEM_PATH:$PATH
export CONTAINERD_SUPPRESS_DEPRECATION_WARNINGS=1 # about cgroup v1
k() { "$BIN/kube" kubectl --kubeconfig "$KUBECONFIG_OUT" "$@"; }
ctr() { timeout 60 "$BIN/ctr" -a "$RUN/containerd.sock" -n k8s.io "$@"; }
say() { echo "$*"; }

# shellcheck source=processes.sh
. "$HERE/processes.sh"
# shellcheck source=certificates.sh
. "$HERE/certificates.sh"
# shellcheck source=configuration.sh
. "$HERE/configuration.sh"
# shellcheck source=network.sh
. "$HERE/network.sh"

# ---- up -----------------------------------------------------------------------
prepare_state() {
  mkdir -p "$PKI" "$LOG" "$RUN" "$STATE"/{cni,cni-ipam,registries,kubelet/seccomp,volumes}
  chmod 711 "$STATE" "$RUN" # pods with hostUsers: false pass through here as ordinary users
  chmod 700 "$PKI" "$LOG"
  # After a reboot nothing of the earlier run exists any more.
  local boot
  boot=$(cat /proc/sys/kernel/random/boot_id)
  [ "$(cat "$STATE/boot_id" 2>/dev/null)" = "$boot" ] || rm -rf "$RUN" "$STATE"/cni-ipam/*
  mkdir -p "$RUN"
  echo "$boot" >"$STATE/boot_id"
}

remember_sysctls() {
  [ -e "$STATE/sysctls.before" ] && return 0
  local s
  for s in "${SYSCTLS[@]}"; do printf '%s %s\n' "$s" "$(cat "/proc/sys/${s//.//}")"; done >"$STATE/sysctls.before.new"
  mv "$STATE/sysctls.before.new" "$STATE/sysctls.before"
}
restore_sysctls() {
  [ -e "$STATE/sysctls.before" ] || return 0
  local s v
  while read -r s v; do echo "$v" 2>/dev/null >"/proc/sys/${s//.//}" || true; done <"$STATE/sysctls.before"
  rm -f "$STATE/sysctls.before"
}

# The kubelet puts all pods below this cgroup, so that `down` can distinguish them from others.
create_cgroup() {
  local h
  if [ -e /sys/fs/cgroup/cgroup.controllers ]; then mkdir -p "/sys/fs/cgroup/$CGROUP"; return; fi
  for h in /sys/fs/cgroup/*/; do [ ! -e "$h/cgroup.procs" ] || mkdir -p "$h$CGROUP"; done
}
pod_processes() { find /sys/fs/cgroup -path "*/$CGROUP/*" -name cgroup.procs -exec cat {} + 2>/dev/null | sort -u; }

start_containerd() {
  CONFIG=$STATE/containerd.toml start containerd env PATH="$BIN:$SYSTEM_PATH" "$BIN/containerd" -c "$STATE/containerd.toml"
  wait_for containerd ctr version
}
start_control_plane() {
  local fsync=--unsafe-no-fsync u=$PKI
  [ -z "${RUNE_ETCD_FSYNC:-}" ] || fsync=
  # Without fsync a power cut may cost the cluster's state: right for a cluster that `destroy` and `up` recreate in
  # seconds, wrong for any other. RUNE_ETCD_FSYNC=1 turns it on.
  # shellcheck disable=SC2086
  start etcd "$BIN/kube" etcd --name $NODE --data-dir "$STATE/etcd" --listen-client-urls http://127.0.0.1:2379 \
    --advertise-client-urls http://127.0.0.1:2379 --listen-peer-urls http://127.0.0.1:2380 --log-level warn $fsync
  start kube-apiserver "$BIN/kube" kube-apiserver --bind-address=$NODE_IP --advertise-address=$NODE_IP --secure-port=6443 \
    --etcd-servers=http://127.0.0.1:2379 --service-cluster-ip-range=$SVC_CIDR \
    --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction --anonymous-auth=true \
    --client-ca-file="$u/ca.crt" --tls-cert-file="$u/apiserver.crt" --tls-private-key-file="$u/apiserver.key" \
    --service-account-issuer=https://kubernetes.default.svc.cluster.local \
    --service-account-key-file="$u/sa.key" --service-account-signing-key-file="$u/sa.key" \
    --kubelet-client-certificate="$u/apiserver-kubelet.crt" --kubelet-client-key="$u/apiserver-kubelet.key" \
    --kubelet-certificate-authority="$u/ca.crt" --kubelet-preferred-address-types=InternalIP \
    --requestheader-client-ca-file="$u/front-proxy-ca.crt" --requestheader-allowed-names=front-proxy-client \
    --requestheader-extra-headers-prefix=X-Remote-Extra- --requestheader-group-headers=X-Remote-Group --requestheader-username-headers=X-Remote-User \
    --proxy-client-cert-file="$u/front-proxy.crt" --proxy-client-key-file="$u/front-proxy.key" --enable-aggregator-routing=true \
    --profiling=false --event-ttl=1h
  wait_for kube-apiserver k get --raw=/readyz
  say "kube-apiserver ready"
  start kube-controller-manager "$BIN/kube" kube-controller-manager --kubeconfig="$u/kube-controller-manager.kubeconfig" \
    --authentication-kubeconfig="$u/kube-controller-manager.kubeconfig" --authorization-kubeconfig="$u/kube-controller-manager.kubeconfig" \
    --bind-address=127.0.0.1 --leader-elect=false --use-service-account-credentials=true --root-ca-file="$u/ca.crt" \
    --service-account-private-key-file="$u/sa.key" --cluster-signing-cert-file="$u/ca.crt" --cluster-signing-key-file="$u/ca.key" \
    --allocate-node-cidrs=true --cluster-cidr=$POD_CIDR --node-cidr-mask-size=24 --service-cluster-ip-range=$SVC_CIDR --profiling=false \
    --flex-volume-plugin-dir="$STATE/volume-plugins"
  start kube-scheduler "$BIN/kube" kube-scheduler --kubeconfig="$u/kube-scheduler.kubeconfig" \
    --authentication-kubeconfig="$u/kube-scheduler.kubeconfig" --authorization-kubeconfig="$u/kube-scheduler.kubeconfig" \
    --bind-address=127.0.0.1 --leader-elect=false --profiling=false
}
start_node() {
  CONFIG=$STATE/kubelet.yaml start kubelet env PATH="$BIN:$SYSTEM_PATH" "$BIN/kube" kubelet --config="$STATE/kubelet.yaml" --kubeconfig="$PKI/kubelet.kubeconfig" \
    --hostname-override=$NODE --node-ip=$NODE_IP --root-dir="$STATE/kubelet" --cert-dir="$PKI"
  CONFIG=$STATE/kube-proxy.yaml start kube-proxy "$BIN/kube" kube-proxy --config="$STATE/kube-proxy.yaml"
  start localpv "$BIN/kube" localpv --kubeconfig="$PKI/localpv.kubeconfig" --dir="$STATE/volumes" --node=$NODE
  wait_for "the node to register" k get node $NODE
  k wait --for=condition=Ready "node/$NODE" --timeout=120s >/dev/null
}

# The images that are part of the cluster itself; once per build of them.
import_system_images() {
  local i sum
  sum=$(cat "$BIN/kube.id")
  [ "$(cat "$STATE/system-images.id" 2>/dev/null)" != "$sum" ] || return 0
  for i in pause kube; do ctr images import --local "$BIN/$i.image.tar" >/dev/null; done
  echo "$sum" >"$STATE/system-images.id"
}
apply_base() {
  local forward=
  [ ! -s "$STATE/resolv.conf" ] || forward="forward . /etc/resolv.conf"
  sed -e "s/@DNS_IP@/$DNS_IP/" -e "s#@FORWARD@#$forward#" -e "s/@KUBE_ID@/$(cat "$BIN/kube.id")/" "$HERE/base.yaml" | k apply -f - >/dev/null
  ! has_gvisor || k apply -f "$HERE/gvisor.yaml" >/dev/null
}
# Simulated GPUs: the scheduler counts them, but there is no device.
advertise_gpus() {
  k patch node $NODE --subresource=status --type=merge \
    -p "{\"status\":{\"capacity\":{\"nvidia.com/gpu\":\"$GPUS\"},\"allocatable\":{\"nvidia.com/gpu\":\"$GPUS\"}}}" >/dev/null
}
# The status in the API may be from before a down: query CoreDNS itself.
# shellcheck disable=SC2329 # wait_for calls it
dns_ready() {
  local ip
  ip=$(k -n kube-system get pod -l k8s-app=kube-dns --field-selector=status.phase=Running -o jsonpath='{.items[*].status.podIP}')
  [ -n "$ip" ] && curl -fsS -m 1 -o /dev/null --noproxy '*' "http://${ip%% *}:8181/ready"
}

up() {
  prepare_state
  remember_sysctls
  write_certificates
  write_configuration
  create_cgroup
  network_up
  start_containerd
  import_system_images
  say "containerd up, host network in place"
  start_control_plane
  # Policies are in force before the first pod starts.
  apply_base
  start netpol "$BIN/kube" netpol --kubeconfig="$PKI/netpol.kubeconfig" --pod-cidr=$POD_CIDR -v=2
  wait_for "the network policies" nft list table inet rune_netpol
  start_node
  advertise_gpus
  say "node Ready"
  wait_for "cluster DNS" dns_ready
  say "cluster DNS serving"
}

# ---- down ---------------------------------------------------------------------
# Stops the pods by containerd, if it responds; what remains is removed below without it.
end_pods_by_containerd() {
  local t
  [ -x "$BIN/ctr" ] && running containerd && ctr version >/dev/null 2>&1 || return 0
  for t in $(ctr tasks ls -q); do ctr tasks rm -f "$t" >/dev/null 2>&1 & done
  wait
  for t in $(ctr containers ls -q); do ctr containers rm "$t" >/dev/null 2>&1 || true; done
}
end_pods_by_force() {
  local i p
  for i in $(seq 50); do
    p=$(pod_processes; pids_below_bin)
    [ -n "$p" ] || return 0
    # shellcheck disable=SC2086
    kill -9 $p 2>/dev/null || true
    sleep 0.1
  done
  echo "these processes of the cluster's pods survive kill -9: $p" >&2
}
remove_mounts() {
  local m
  awk -v s="$STATE/" 'index($5, s) == 1 {print $5}' /proc/self/mountinfo | sort -r | while read -r m; do
    umount -l "$(printf '%b' "$m")" 2>/dev/null || true
  done
}
remove_cgroups() {
  local d
  for d in "/sys/fs/cgroup/$CGROUP" /sys/fs/cgroup/*/"$CGROUP"; do
    [ ! -d "$d" ] || find "$d" -depth -type d -exec rmdir {} + 2>/dev/null || true
  done
}
# Places outside $STATE that upstream programs insist on.
remove_traces() {
  local s
  # Sockets of containerd's shims and of the kubelet that have no listener any more.
  for s in /run/containerd/s/* /var/lib/kubelet/device-plugins/kubelet.sock; do grep -qF " $s" /proc/net/unix || rm -f "$s"; done
  rmdir /run/containerd/s /run/containerd /run/runc /var/lib/kubelet/device-plugins /var/lib/kubelet 2>/dev/null
  find /var/log/containers -lname "$STATE/*" -delete 2>/dev/null
  rmdir /var/log/containers 2>/dev/null
  # The CNI library's records of what it attached: ours were in network namespaces below $STATE.
  grep -rlF "$STATE/" /var/lib/cni/results 2>/dev/null | xargs -r rm -f
  rmdir /var/lib/cni/results /var/lib/cni 2>/dev/null
}

# Stops everything and keeps the state: the next up starts the same cluster. The steps are independent (no set -e):
# one that fails must not keep the next from cleaning.
down() {
  set +e
  [ -d "$STATE" ] || return 0
  local c
  # First what would restart pods. Only etcd and containerd have state to save; the rest may be killed at once.
  for c in kubelet netpol localpv kube-proxy kube-scheduler kube-controller-manager kube-apiserver; do stop $c KILL; done
  stop etcd TERM
  end_pods_by_containerd
  stop containerd TERM
  end_pods_by_force
  remove_traces
  remove_mounts
  rm -rf "$RUN" "$STATE"/cni-ipam
  remove_cgroups
  network_down
  restore_sysctls
  return 0
}
destroy() {
  down
  # Never through a mount that could not be removed: a volume below may hold a user's data.
  if awk -v s="$STATE/" 'index($5, s) == 1 {exit 1}' /proc/self/mountinfo; then rm -rf --one-file-system "$STATE"; else
    echo "something is still mounted below $STATE (see /proc/self/mountinfo); unmount it and run destroy again" >&2
    return 1
  fi
}
status() {
  local c p all=0
  for c in "${COMPONENTS[@]}"; do
    p=$(pid_of "$c")
    if [ -n "$p" ]; then printf '%-24s pid %-7s %5d MiB\n' "$c" "$p" "$(($(awk '/VmRSS/{print $2}' "/proc/$p/status") / 1024))"
    else printf '%-24s not running\n' "$c"; all=1; fi
  done
  return $all
}

main() {
  case "${1:-}" in
    up) up ;;
    down) down ;;
    destroy) destroy ;;
    status) status ;;
    *) echo "usage: $0 up|down|destroy|status" >&2; return 2 ;;
  esac
}
main "$@"; exit $? # on one line: bash reads no further, even if this file changes while it runs
